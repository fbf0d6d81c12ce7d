/*-------------------------------------------------------------------------
 *
 * sqltext.c
 *	  Pure functions over the text of SQL statements: normal form,
 *	  fingerprint, statement inside a statement.
 *
 * Owns nothing: no memory, no globals, no settings.  What the functions
 * promise, and what the normal form and the fingerprint are, is in sqltext.h.
 *
 * Three layers, each using only the one above it:
 *
 *	  scanner		bytes to tokens, by the rules of the server's scan.l.  It
 *					also knows at which statement it is, and whether a
 *					dollar-quoted string is a body to be read as code; it then
 *					goes into the body and comes out again at its end.  It is a
 *					small struct, so looking ahead is scanning with a copy.
 *	  shapes		what needs to look ahead: a list of constants, the
 *					statement in a statement.
 *	  normaliser	tokens to text and hash, in one pass.  The output and the
 *					hash can be set back, which is how repeated rows of VALUES
 *					vanish without a second look at them.
 *
 * Everything is linear.  Looking ahead costs a second scan of what was looked
 * at, never more than a fixed number of them: blanks and comments are looked
 * across from one token to the next only, lists nest to a fixed depth, and
 * what is looked for through a whole statement (the highest parameter, the
 * language of a body, the statement inside) is looked for once a statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/sqltext.h"

#define FNV_BASIS	UINT64CONST(14695981039346656037)
#define FNV_PRIME	UINT64CONST(1099511628211)

/* What the hash has for a parameter, and before a stray control character. */
#define HASH_PARAMETER	0x01
#define HASH_CONTROL	0x02

#define ELLIPSIS		" ..."
#define ELLIPSIS_LEN	4

/* Lists in lists that are still taken for one list; arrays may have 6 dimensions. */
#define MAX_LIST_DEPTH	6

/* VALUES in rows of VALUES whose rows are compared. */
#define MAX_ROW_FRAMES	8

/* Nested parentheses in which ORDER BY and GROUP BY positions are known. */
#define MAX_CLAUSE_DEPTH 64

/* The server takes no $n beyond this many digits. */
#define MAX_PARAMETER_DIGITS 9

/* ----------
 * Bytes
 * ----------
 */
#define B_SPACE			0x01
#define B_NEWLINE		0x02
#define B_DIGIT			0x04
#define B_WORD_START	0x08
#define B_WORD			0x10
#define B_OPERATOR		0x20
#define B_NOT_IN_SQL	0x40	/* lets an operator end in + or - */

#define BLANK	(B_SPACE)
#define BREAK	(B_SPACE | B_NEWLINE)
#define DIGIT	(B_DIGIT | B_WORD)
#define ALPHA	(B_WORD_START | B_WORD)
#define DOLLA	(B_WORD)
#define OPSQL	(B_OPERATOR)
#define OPOWN	(B_OPERATOR | B_NOT_IN_SQL)

#define ALPHA_16 \
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, \
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA

static const uint8 byte_class[256] = {
	/* NUL to SI; \v is white space from PostgreSQL 16 on, an error before */
	0, 0, 0, 0, 0, 0, 0, 0, 0, BLANK, BREAK, BLANK, BLANK, BREAK, 0, 0,
	/* DLE to US */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
	/* blank ! " # $ % & ' */
	BLANK, OPOWN, 0, OPOWN, DOLLA, OPOWN, OPOWN, 0,
	/* ( ) * + , - . / */
	0, 0, OPSQL, OPSQL, 0, OPSQL, 0, OPSQL,
	/* 0 to 9 : ; < = > ? */
	DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT, DIGIT,
	DIGIT, DIGIT, 0, 0, OPSQL, OPSQL, OPSQL, OPOWN,
	/* @ A to O */
	OPOWN, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	/* P to Z [ \ ] ^ _ */
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	ALPHA, ALPHA, ALPHA, 0, 0, 0, OPOWN, ALPHA,
	/* ` a to o */
	OPOWN, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	/* p to z { | } ~ DEL */
	ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA, ALPHA,
	ALPHA, ALPHA, ALPHA, 0, OPOWN, 0, OPOWN, 0,
	/* the upper half */
	ALPHA_16, ALPHA_16, ALPHA_16, ALPHA_16,
	ALPHA_16, ALPHA_16, ALPHA_16, ALPHA_16
};

#define IS(c, class) ((byte_class[c] & (class)) != 0)

/* ----------
 * Words that matter
 * ----------
 */

/*
 * What a token is to its neighbours.  Words that play the same part share a
 * tag.
 */
typedef enum Tag
{
	TAG_NONE,					/* before the first token */
	TAG_END,
	TAG_WORD,					/* any word without a tag of its own */
	TAG_OPERAND,				/* literal, parameter, quoted identifier */
	TAG_OPERATOR,
	TAG_SIGN,					/* + or - alone */
	TAG_CAST,
	TAG_COMMA,
	TAG_DOT,
	TAG_OPEN,
	TAG_CLOSE,
	TAG_BRACKET,
	TAG_UNBRACKET,
	TAG_SEMICOLON,
	KW_ABSENT,
	KW_ALL,						/* ALL, DISTINCT */
	KW_ARRAY,
	KW_AS,
	KW_BEFORE_VALUE,			/* reserved words that an expression follows */
	KW_BOOLEAN,					/* TRUE, FALSE */
	KW_BY,
	KW_CLAUSE,					/* begins the next clause of a query */
	KW_IN,
	KW_IS,
	KW_LOOP,
	KW_NOT,
	KW_NULL,
	KW_ON,
	KW_ORDER,					/* ORDER, GROUP */
	KW_ORDERING,				/* may follow an item of ORDER BY */
	KW_ROW,
	KW_SEQUENCE,				/* option of a sequence that a number follows */
	KW_USING,
	KW_VALUES,
	NUM_TAGS
} Tag;

#define F_OPERAND		0x01	/* a sign behind it stands between operands */
#define F_ENDS_CLAUSE	0x02	/* ends ORDER BY or GROUP BY */
#define F_AFTER_ITEM	0x04	/* may follow an item of ORDER BY or GROUP BY */

static const uint8 tag_flags[NUM_TAGS] = {
	[TAG_END] = F_AFTER_ITEM,
	[TAG_WORD] = F_OPERAND,
	[TAG_OPERAND] = F_OPERAND,
	[TAG_COMMA] = F_AFTER_ITEM,
	[TAG_CLOSE] = F_OPERAND | F_AFTER_ITEM,
	[TAG_UNBRACKET] = F_OPERAND,
	[TAG_SEMICOLON] = F_AFTER_ITEM,
	[KW_ABSENT] = F_OPERAND,
	[KW_BOOLEAN] = F_OPERAND,
	[KW_CLAUSE] = F_ENDS_CLAUSE | F_AFTER_ITEM,
	[KW_LOOP] = F_OPERAND | F_ENDS_CLAUSE | F_AFTER_ITEM,
	[KW_NULL] = F_OPERAND,
	[KW_ON] = F_ENDS_CLAUSE | F_AFTER_ITEM,
	[KW_ORDER] = F_ENDS_CLAUSE | F_AFTER_ITEM,
	[KW_ORDERING] = F_OPERAND | F_AFTER_ITEM,
	[KW_ROW] = F_OPERAND,
	[KW_SEQUENCE] = F_OPERAND,
	[KW_USING] = F_AFTER_ITEM
};

/* What the first word of a statement tells.  Unknown ones begin a query. */
typedef enum Verb
{
	VERB_QUERY,					/* optimisable */
	VERB_UTILITY,				/* and every one below */
	VERB_COPY,
	VERB_CREATE,
	VERB_DEALLOCATE,
	VERB_DECLARE,
	VERB_DO,
	VERB_EXPLAIN,
	VERB_PREPARE,
	VERB_RELEASE,
	VERB_ROLLBACK,
	VERB_SAVEPOINT,
	VERB_SIGNED					/* a sign behind a word is a number's */
} Verb;

/* A word in small letters, and the Tag or Verb it stands for. */
typedef struct Word
{
	char		name[12];
	uint8		len;
	uint8		meaning;
} Word;

#define MAX_WORDS_A_LETTER 9
#define WORD(name, meaning) {name, sizeof(name) - 1, meaning}
#define LETTER(c) [(c) - 'a']

static const Word keywords[26][MAX_WORDS_A_LETTER] = {
	LETTER('a') = {
		WORD("as", KW_AS), WORD("and", KW_BEFORE_VALUE),
		WORD("asc", KW_ORDERING), WORD("all", KW_ALL),
		WORD("array", KW_ARRAY), WORD("absent", KW_ABSENT)
	},
	LETTER('b') = {WORD("by", KW_BY), WORD("between", KW_BEFORE_VALUE)},
	LETTER('c') = {WORD("case", KW_BEFORE_VALUE)},
	LETTER('d') = {
		WORD("desc", KW_ORDERING), WORD("distinct", KW_ALL),
		WORD("default", KW_BEFORE_VALUE)
	},
	LETTER('e') = {WORD("else", KW_BEFORE_VALUE), WORD("except", KW_CLAUSE)},
	LETTER('f') = {
		WORD("from", KW_BEFORE_VALUE), WORD("for", KW_CLAUSE),
		WORD("false", KW_BOOLEAN), WORD("fetch", KW_CLAUSE)
	},
	LETTER('g') = {WORD("group", KW_ORDER), WORD("groups", KW_ORDERING)},
	LETTER('h') = {WORD("having", KW_CLAUSE)},
	LETTER('i') = {
		WORD("in", KW_IN), WORD("is", KW_IS), WORD("into", KW_CLAUSE),
		WORD("ilike", KW_BEFORE_VALUE), WORD("intersect", KW_CLAUSE),
		WORD("increment", KW_SEQUENCE)
	},
	LETTER('l') = {
		WORD("like", KW_BEFORE_VALUE), WORD("limit", KW_CLAUSE),
		WORD("loop", KW_LOOP)
	},
	LETTER('m') = {
		WORD("minvalue", KW_SEQUENCE), WORD("maxvalue", KW_SEQUENCE)
	},
	LETTER('n') = {
		WORD("not", KW_NOT), WORD("null", KW_NULL), WORD("nulls", KW_ORDERING)
	},
	LETTER('o') = {
		WORD("on", KW_ON), WORD("or", KW_BEFORE_VALUE),
		WORD("order", KW_ORDER), WORD("offset", KW_CLAUSE)
	},
	LETTER('r') = {
		WORD("row", KW_ROW), WORD("rows", KW_ORDERING),
		WORD("range", KW_ORDERING), WORD("returning", KW_CLAUSE),
		WORD("restart", KW_SEQUENCE)
	},
	LETTER('s') = {WORD("select", KW_CLAUSE), WORD("symmetric", KW_BEFORE_VALUE)},
	LETTER('t') = {
		WORD("to", KW_BEFORE_VALUE), WORD("then", KW_BEFORE_VALUE),
		WORD("true", KW_BOOLEAN)
	},
	LETTER('u') = {WORD("using", KW_USING), WORD("union", KW_CLAUSE)},
	LETTER('v') = {WORD("values", KW_VALUES)},
	LETTER('w') = {
		WORD("where", KW_BEFORE_VALUE), WORD("when", KW_BEFORE_VALUE),
		WORD("with", KW_CLAUSE), WORD("window", KW_CLAUSE)
	}
};

static const Word verbs[26][MAX_WORDS_A_LETTER] = {
	LETTER('a') = {
		WORD("abort", VERB_UTILITY), WORD("alter", VERB_UTILITY),
		WORD("analyse", VERB_UTILITY), WORD("analyze", VERB_UTILITY)
	},
	LETTER('b') = {WORD("begin", VERB_UTILITY)},
	LETTER('c') = {
		WORD("call", VERB_UTILITY), WORD("checkpoint", VERB_UTILITY),
		WORD("close", VERB_UTILITY), WORD("cluster", VERB_UTILITY),
		WORD("comment", VERB_UTILITY), WORD("commit", VERB_UTILITY),
		WORD("copy", VERB_COPY), WORD("create", VERB_CREATE)
	},
	LETTER('d') = {
		WORD("deallocate", VERB_DEALLOCATE), WORD("declare", VERB_DECLARE),
		WORD("discard", VERB_UTILITY), WORD("do", VERB_DO),
		WORD("drop", VERB_UTILITY)
	},
	LETTER('e') = {
		WORD("end", VERB_UTILITY), WORD("execute", VERB_UTILITY),
		WORD("explain", VERB_EXPLAIN)
	},
	LETTER('f') = {WORD("fetch", VERB_SIGNED)},
	LETTER('g') = {WORD("grant", VERB_UTILITY)},
	LETTER('i') = {WORD("import", VERB_UTILITY)},
	LETTER('l') = {
		WORD("listen", VERB_UTILITY), WORD("load", VERB_UTILITY),
		WORD("lock", VERB_UTILITY)
	},
	LETTER('m') = {WORD("move", VERB_SIGNED)},
	LETTER('n') = {WORD("notify", VERB_UTILITY)},
	LETTER('p') = {WORD("prepare", VERB_PREPARE)},
	LETTER('r') = {
		WORD("reassign", VERB_UTILITY), WORD("refresh", VERB_UTILITY),
		WORD("reindex", VERB_UTILITY), WORD("release", VERB_RELEASE),
		WORD("repack", VERB_UTILITY), WORD("reset", VERB_UTILITY),
		WORD("revoke", VERB_UTILITY), WORD("rollback", VERB_ROLLBACK)
	},
	LETTER('s') = {
		WORD("savepoint", VERB_SAVEPOINT), WORD("security", VERB_UTILITY),
		WORD("set", VERB_SIGNED), WORD("show", VERB_UTILITY),
		WORD("start", VERB_UTILITY)
	},
	LETTER('t') = {WORD("truncate", VERB_UTILITY)},
	LETTER('u') = {WORD("unlisten", VERB_UTILITY)},
	LETTER('v') = {WORD("vacuum", VERB_UTILITY)},
	LETTER('w') = {WORD("wait", VERB_UTILITY)}
};

/*
 * Is word equal to name, which is in small letters, but for letter case?
 * Setting bit 5 folds the letters and maps no other byte of a word to one.
 */
static inline bool
same_word(const uint8 *word, const char *name, int len)
{
	for (int i = 0; i < len; i++)
	{
		if ((word[i] | 0x20) != (uint8) name[i])
			return false;
	}
	return true;
}

/* The meaning of a word in one of the tables above, or 0. */
static inline int
lookup_word(const Word table[26][MAX_WORDS_A_LETTER], const uint8 *word,
			ptrdiff_t len)
{
	unsigned int letter = (word[0] | 0x20) - 'a';

	if (letter >= 26)
		return 0;
	for (const Word *w = table[letter]; w->len != 0; w++)
	{
		if (w->len == len && same_word(word + 1, w->name + 1, w->len - 1))
			return w->meaning;
	}
	return 0;
}

/* ----------
 * Scanner
 * ----------
 */
typedef enum TokenType
{
	T_END,
	T_WORD,
	T_QUOTED,					/* quoted identifier */
	T_NUMBER,					/* also with letters glued to it */
	T_LITERAL,					/* any other, or what may hide one */
	T_PARAMETER,
	T_SYMBOL,
	T_STRAY,					/* a byte that begins no token */
	T_BODY_BEGIN,				/* what follows is inside a body ... */
	T_BODY_END					/* ... until here */
} TokenType;

typedef struct Token
{
	const uint8 *start;
	const uint8 *end;
	uint8		type;			/* TokenType */
	uint8		tag;			/* Tag */
	bool		spaced;			/* white space or a comment before it */
	bool		first;			/* the word a statement begins with */
} Token;

#define TOKEN_LEN(tok) ((int) ((tok)->end - (tok)->start))

/* Where a dollar-quoted string is the body of what is being created or done. */
typedef enum BodyPlace
{
	BODY_NOWHERE,
	BODY_ANYWHERE,
	BODY_AFTER_AS
} BodyPlace;

typedef struct Scanner
{
	const uint8 *at;			/* next byte */
	const uint8 *end;			/* of the text, or of the body we are in */
	const uint8 *text_end;
	const uint8 *body_resume;	/* behind the body we are in; or NULL */
	const uint8 *signs_end;		/* until here + and - are single tokens */
	int			depth;			/* open parentheses */
	bool		std_strings;
	bool		at_start;		/* the next word begins a statement */
	uint8		verb;			/* of the statement */
	uint8		body;			/* BodyPlace of the statement */
	uint8		last;			/* tag of the token last returned, ... */
	uint8		prev;			/* ... of the one before it */
	uint8		prev2;			/* ... and before that */
} Scanner;

static void scan_token(Scanner *sc, Token *tok);

static void
init_scanner(Scanner *sc, const char *sql, int len, bool std_strings)
{
	memset(sc, 0, sizeof(*sc));
	if (sql == NULL || len <= 0)
	{
		sql = "";
		len = 0;
	}
	sc->at = (const uint8 *) sql;
	sc->end = sc->text_end = sc->at + len;
	sc->signs_end = sc->at;
	sc->std_strings = std_strings;
	sc->at_start = true;
}

/* Behind a comment whose opening p is at; an open one takes all. */
static const uint8 *
skip_block_comment(const uint8 *p, const uint8 *end)
{
	int			depth = 0;

	while (end - p >= 2)
	{
		if (p[0] == '/' && p[1] == '*')
		{
			depth++;
			p += 2;
		}
		else if (p[0] == '*' && p[1] == '/')
		{
			p += 2;
			if (--depth == 0)
				return p;
		}
		else
			p++;
	}
	return end;
}

static const uint8 *
skip_line(const uint8 *p, const uint8 *end)
{
	while (p < end && !IS(*p, B_NEWLINE))
		p++;
	return p;
}

static inline bool
at_pair(const uint8 *p, const uint8 *end, char first, char second)
{
	return p[0] == (uint8) first && end - p >= 2 && p[1] == (uint8) second;
}

/* Behind white space and comments. */
static const uint8 *
skip_space(const uint8 *p, const uint8 *end)
{
	while (p < end)
	{
		if (IS(*p, B_SPACE))
			p++;
		else if (at_pair(p, end, '-', '-'))
			p = skip_line(p, end);
		else if (at_pair(p, end, '/', '*'))
			p = skip_block_comment(p, end);
		else
			break;
	}
	return p;
}

static const uint8 *
skip_word(const uint8 *p, const uint8 *end)
{
	while (p < end && IS(*p, B_WORD))
		p++;
	return p;
}

/* How a string may hold its quote. */
typedef enum Escapes
{
	ESCAPE_NONE,				/* bit strings */
	ESCAPE_DOUBLED,
	ESCAPE_BACKSLASH			/* or doubled */
} Escapes;

/*
 * Behind the quote that closes what p is in; end if there is none, and then
 * *closed is false.
 */
static const uint8 *
scan_quoted(const uint8 *p, const uint8 *end, char quote, Escapes escapes,
			bool *closed)
{
	*closed = false;
	while (p < end)
	{
		if (*p == '\\' && escapes == ESCAPE_BACKSLASH)
			p++;
		else if (*p == (uint8) quote)
		{
			if (escapes == ESCAPE_NONE || !at_pair(p, end, quote, quote))
			{
				*closed = true;
				return p + 1;
			}
			p++;
		}
		p++;
	}
	return end;
}

/*
 * A string goes on after white space with a newline in it.  Comments to the
 * end of a line count as such white space.  Returns the place behind the
 * quote that opens the next part, or NULL.
 */
static const uint8 *
string_continues(const uint8 *p, const uint8 *end)
{
	bool		newline = false;

	while (p < end)
	{
		if (IS(*p, B_SPACE))
			newline |= IS(*p++, B_NEWLINE);
		else if (at_pair(p, end, '-', '-'))
			p = skip_line(p, end);
		else
			return newline && *p == '\'' ? p + 1 : NULL;
	}
	return NULL;
}

/* Behind the string that p is in, with all its parts. */
static const uint8 *
scan_string(const uint8 *p, const uint8 *end, Escapes escapes)
{
	for (;;)
	{
		const uint8 *next;
		bool		closed;

		p = scan_quoted(p, end, '\'', escapes, &closed);
		next = closed ? string_continues(p, end) : NULL;
		if (next == NULL)
			return p;
		p = next;
	}
}

static Escapes
plain_escapes(const Scanner *sc)
{
	return sc->std_strings ? ESCAPE_DOUBLED : ESCAPE_BACKSLASH;
}

/* If UESCAPE '...' follows, it is part of the string before. */
static const uint8 *
scan_uescape(const Scanner *sc, const uint8 *p)
{
	const uint8 *word = skip_space(p, sc->end);
	const uint8 *quote;

	if (sc->end - word < 7 || !same_word(word, "uescape", 7))
		return p;
	quote = skip_space(word + 7, sc->end);
	if (quote == sc->end || *quote != '\'')
		return p;
	return scan_string(quote + 1, sc->end, plain_escapes(sc));
}

static void
finish_operand(Token *tok, TokenType type, const uint8 *end)
{
	tok->type = type;
	tok->tag = TAG_OPERAND;
	tok->end = end;
}

/* A quoted identifier; p is behind the opening quote. */
static void
scan_quoted_name(Scanner *sc, Token *tok, const uint8 *p)
{
	bool		closed;

	p = scan_quoted(p, sc->end, '"', ESCAPE_DOUBLED, &closed);
	finish_operand(tok, closed ? T_QUOTED : T_LITERAL, p);
}

/* A string with a letter in front of the quote, or the like; or false. */
static bool
scan_prefixed(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start + 1;
	const uint8 *end = sc->end;
	int			letter = *tok->start | 0x20;

	if (letter == 'u' && at_pair(p, end, '&', '"'))
	{
		scan_quoted_name(sc, tok, p + 2);
		return true;
	}
	if (letter == 'u' && at_pair(p, end, '&', '\''))
		p = scan_uescape(sc, scan_string(p + 2, end, ESCAPE_DOUBLED));
	else if (*p != '\'')
		return false;
	else if (letter == 'e')
		p = scan_string(p + 1, end, ESCAPE_BACKSLASH);
	else if (letter == 'n')
		p = scan_string(p + 1, end, plain_escapes(sc));
	else if (letter == 'b' || letter == 'x')
		p = scan_string(p + 1, end, ESCAPE_NONE);
	else
		return false;
	finish_operand(tok, T_LITERAL, p);
	return true;
}

static inline void
scan_word(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start + 1;
	int			keyword = 0;

	if (p < sc->end && (*p == '\'' || *p == '&') && scan_prefixed(sc, tok))
		return;
	p = skip_word(p, sc->end);
	if (sc->prev != TAG_DOT)
		keyword = lookup_word(keywords, tok->start, p - tok->start);
	tok->type = T_WORD;
	tok->tag = keyword != 0 ? keyword : TAG_WORD;
	tok->end = p;
}

/* Behind digits, which single underscores may part. */
static const uint8 *
skip_digits(const uint8 *p, const uint8 *end)
{
	while (p < end && (IS(*p, B_DIGIT) ||
					   (*p == '_' && end - p >= 2 && IS(p[1], B_DIGIT))))
		p++;
	return p;
}

/* Behind an exponent, if there is a whole one at p. */
static const uint8 *
skip_exponent(const uint8 *p, const uint8 *end)
{
	const uint8 *digits = p + 1;

	if (p == end || (*p | 0x20) != 'e')
		return p;
	if (digits < end && (*digits == '+' || *digits == '-'))
		digits++;
	return digits < end && IS(*digits, B_DIGIT) ? skip_digits(digits, end) : p;
}

/*
 * A number, begun by a digit or by a point and a digit.  Letters glued to it
 * are the digits of 0x1F or an error; both ways they are part of it.
 */
static void
scan_number(Scanner *sc, Token *tok)
{
	const uint8 *end = sc->end;
	const uint8 *p = skip_digits(tok->start, end);

	/* 1..10 is not 1. and .10 */
	if (p < end && *p == '.' && !at_pair(p, end, '.', '.'))
		p = skip_digits(p + 1, end);
	p = skip_exponent(p, end);
	if (p < end && IS(*p, B_WORD_START))
		p = skip_word(p, end);
	finish_operand(tok, T_NUMBER, p);
}

/* $n; with letters glued to it, or more digits than can be, it is a literal. */
static void
scan_parameter(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start + 1;
	TokenType	type = T_PARAMETER;

	while (p < sc->end && IS(*p, B_DIGIT))
		p++;
	if (p - tok->start > MAX_PARAMETER_DIGITS + 1)
		type = T_LITERAL;
	if (p < sc->end && IS(*p, B_WORD_START))
	{
		p = skip_word(p, sc->end);
		type = T_LITERAL;
	}
	finish_operand(tok, type, p);
}

static void
finish_symbol(Token *tok, Tag tag, int len)
{
	tok->type = T_SYMBOL;
	tok->tag = tag;
	tok->end = tok->start + len;
}

static void
finish_stray(Token *tok)
{
	finish_symbol(tok, TAG_OPERATOR, 1);
	tok->type = T_STRAY;
}

/* Is the dollar-quoted string that tok begins a body to be read as code? */
static bool
begins_body(const Scanner *sc)
{
	return sc->body != BODY_NOWHERE && sc->body_resume == NULL &&
		sc->depth == 0 &&
		(sc->body == BODY_ANYWHERE || sc->prev == KW_AS);
}

/*
 * A dollar-quoted string, a parameter or a lone dollar.  The delimiter is
 * looked for from dollar to dollar, and has none inside, so no byte is
 * compared twice.
 */
static void
scan_dollar(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start + 1;
	const uint8 *end = sc->end;
	ptrdiff_t	delimiter_len;

	if (p < end && IS(*p, B_DIGIT))
	{
		scan_parameter(sc, tok);
		return;
	}
	if (p < end && IS(*p, B_WORD_START))
	{
		while (p < end && IS(*p, B_WORD) && *p != '$')
			p++;
	}
	if (p == end || *p != '$')
	{
		finish_stray(tok);
		return;
	}
	p++;
	delimiter_len = p - tok->start;
	finish_operand(tok, T_LITERAL, end);
	for (const uint8 *q = p; (q = memchr(q, '$', end - q)) != NULL; q++)
	{
		if (end - q < delimiter_len || memcmp(q, tok->start, delimiter_len) != 0)
			continue;
		tok->end = q + delimiter_len;
		if (begins_body(sc))
		{
			tok->type = T_BODY_BEGIN;
			tok->tag = TAG_NONE;
			sc->body_resume = tok->end;
			sc->end = q;
			tok->end = p;
		}
		return;
	}
}

/*
 * An operator.  It stops before a comment, and cannot end in + or - unless it
 * has a character that operators of standard SQL have not: =- is two, @- one.
 * The signs cut off are found again as single characters without looking at
 * their whole run each time.
 */
static void
scan_operator(Scanner *sc, Token *tok)
{
	const uint8 *start = tok->start;
	const uint8 *p = start + 1;
	int			classes = byte_class[*start];

	if (start >= sc->signs_end)
	{
		while (p < sc->end && IS(*p, B_OPERATOR) &&
			   !at_pair(p, sc->end, '-', '-') && !at_pair(p, sc->end, '/', '*'))
			classes |= byte_class[*p++];
		if (p - start > 1 && !(classes & B_NOT_IN_SQL))
		{
			sc->signs_end = p;
			while (p - start > 1 && (p[-1] == '+' || p[-1] == '-'))
				p--;
		}
	}
	finish_symbol(tok, TAG_OPERATOR, (int) (p - start));
	if (p - start == 1 && (*start == '+' || *start == '-'))
		tok->tag = TAG_SIGN;
}

static void
scan_dot(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start;

	if (sc->end - p >= 2 && IS(p[1], B_DIGIT))
		scan_number(sc, tok);
	else if (at_pair(p, sc->end, '.', '.'))
		finish_symbol(tok, TAG_OPERATOR, 2);
	else
		finish_symbol(tok, TAG_DOT, 1);
}

static void
scan_colon(Scanner *sc, Token *tok)
{
	if (at_pair(tok->start, sc->end, ':', ':'))
		finish_symbol(tok, TAG_CAST, 2);
	else
		finish_symbol(tok, TAG_OPERATOR,
					  at_pair(tok->start, sc->end, ':', '=') ? 2 : 1);
}

static void
scan_punctuation(Scanner *sc, Token *tok)
{
	const uint8 *p = tok->start + 1;

	switch (*tok->start)
	{
		case '\'':
			finish_operand(tok, T_LITERAL,
						   scan_string(p, sc->end, plain_escapes(sc)));
			break;
		case '"':
			scan_quoted_name(sc, tok, p);
			break;
		case '$':
			scan_dollar(sc, tok);
			break;
		case '.':
			scan_dot(sc, tok);
			break;
		case ':':
			scan_colon(sc, tok);
			break;
		case ',':
			finish_symbol(tok, TAG_COMMA, 1);
			break;
		case '(':
			finish_symbol(tok, TAG_OPEN, 1);
			sc->depth++;
			break;
		case ')':
			finish_symbol(tok, TAG_CLOSE, 1);
			if (sc->depth > 0)
				sc->depth--;
			break;
		case '[':
			finish_symbol(tok, TAG_BRACKET, 1);
			break;
		case ']':
			finish_symbol(tok, TAG_UNBRACKET, 1);
			break;
		case ';':
			finish_symbol(tok, TAG_SEMICOLON, 1);
			sc->depth = 0;
			break;
		default:
			finish_stray(tok);
			break;
	}
}

/* At the end of a body come out of it; at the end of the text stay there. */
static void
scan_end(Scanner *sc, Token *tok)
{
	if (sc->body_resume == NULL)
	{
		tok->type = T_END;
		tok->tag = TAG_END;
		tok->end = tok->start;
		return;
	}
	finish_operand(tok, T_BODY_END, sc->body_resume);
	sc->end = sc->text_end;
	sc->body_resume = NULL;
	sc->depth = 0;
}

/* Is the token this word, given in small letters? */
static bool
is_word(const Token *tok, const char *name, int len)
{
	return tok->type == T_WORD && TOKEN_LEN(tok) == len &&
		same_word(tok->start, name, len);
}

#define IS_WORD(tok, name) is_word(tok, name, sizeof(name) - 1)

/* Is the token behind LANGUAGE the name of one whose code we can read? */
static bool
names_sql_language(const Token *tok)
{
	const uint8 *name = tok->start;
	int			len = TOKEN_LEN(tok);

	if (tok->type != T_WORD && len > 2 && (*name == '\'' || *name == '"'))
	{
		name++;
		len -= 2;
	}
	return (len == 7 && same_word(name, "plpgsql", 7)) ||
		(len == 3 && same_word(name, "sql", 3));
}

/*
 * Does every LANGUAGE clause of the statement name a language we can read?
 * Without one the answer is what is passed.
 */
static bool
language_is_sql(const Scanner *sc, bool without_clause)
{
	Scanner		ahead = *sc;
	Token		tok;
	bool		answer = without_clause;

	ahead.at_start = false;
	ahead.body = BODY_NOWHERE;
	for (;;)
	{
		scan_token(&ahead, &tok);
		if (tok.type == T_END || tok.tag == TAG_SEMICOLON)
			return answer;
		if (ahead.depth > 0 || !IS_WORD(&tok, "language"))
			continue;
		scan_token(&ahead, &tok);
		answer = names_sql_language(&tok);
		if (!answer)
			return false;
	}
}

/* Behind CREATE: is a function or procedure being created? */
static bool
creates_routine(const Scanner *sc)
{
	Scanner		ahead = *sc;
	Token		tok;

	ahead.at_start = false;
	scan_token(&ahead, &tok);
	if (IS_WORD(&tok, "or"))
	{
		scan_token(&ahead, &tok);
		scan_token(&ahead, &tok);
	}
	return IS_WORD(&tok, "function") || IS_WORD(&tok, "procedure");
}

/* tok is the first word of a statement. */
static void
begin_statement(Scanner *sc, Token *tok)
{
	tok->first = true;
	sc->at_start = false;
	sc->body = BODY_NOWHERE;
	sc->verb = VERB_QUERY;
	if (tok->tag != KW_CLAUSE || *tok->start == 'f' || *tok->start == 'F')
		sc->verb = lookup_word(verbs, tok->start, TOKEN_LEN(tok));
	if (sc->verb == VERB_DO && language_is_sql(sc, true))
		sc->body = BODY_ANYWHERE;
	else if (sc->verb == VERB_CREATE && creates_routine(sc) &&
			 language_is_sql(sc, false))
		sc->body = BODY_AFTER_AS;
}

/*
 * The next token.  Behind the last one comes T_END, for ever.
 */
static void
scan_token(Scanner *sc, Token *tok)
{
	const uint8 *start = skip_space(sc->at, sc->end);

	tok->start = start;
	tok->spaced = start != sc->at;
	tok->first = false;
	sc->prev2 = sc->prev;
	sc->prev = sc->last;

	if (start == sc->end)
		scan_end(sc, tok);
	else if (IS(*start, B_WORD_START))
		scan_word(sc, tok);
	else if (IS(*start, B_OPERATOR))
		scan_operator(sc, tok);
	else if (IS(*start, B_DIGIT))
		scan_number(sc, tok);
	else
		scan_punctuation(sc, tok);

	sc->at = tok->end;
	sc->last = tok->tag;

	/* parentheses may stand before the first word, nothing else */
	if (sc->at_start && tok->type == T_WORD)
		begin_statement(sc, tok);
	else if (tok->tag == TAG_SEMICOLON)
		sc->at_start = sc->body_resume == NULL;
	else if (tok->tag != TAG_OPEN)
		sc->at_start = false;
}

/* ----------
 * Shapes: lists of constants
 * ----------
 */
typedef struct ConstantList
{
	bool		optimisable;	/* TRUE, FALSE and NULL are constants */
	int			elements;		/* of the outermost list; 2 means more */
	Token		first;			/* the first constant or parameter */
	bool		any;			/* there is a first one */
} ConstantList;

static bool scan_list(Scanner *sc, ConstantList *list, Tag close, int depth);

/*
 * The functions that read parts of a list get a part's first token in tok and
 * leave there the first one behind it.
 */

/* What may follow a type's name or its first word without parentheses. */
static bool
continues_type(const Token *tok)
{
	return IS_WORD(tok, "varying") || IS_WORD(tok, "precision") ||
		IS_WORD(tok, "with") || IS_WORD(tok, "without") ||
		IS_WORD(tok, "time") || IS_WORD(tok, "zone");
}

/* (n, ...) behind a type */
static bool
scan_type_modifier(Scanner *sc, Token *tok)
{
	do
	{
		scan_token(sc, tok);
		if (tok->type != T_NUMBER)
			return false;
		scan_token(sc, tok);
	} while (tok->tag == TAG_COMMA);
	return tok->tag == TAG_CLOSE;
}

static bool
scan_type(Scanner *sc, Token *tok)
{
	if (tok->type != T_WORD && tok->type != T_QUOTED)
		return false;
	for (;;)
	{
		scan_token(sc, tok);
		if (tok->tag == TAG_DOT)
		{
			scan_token(sc, tok);
			if (tok->type != T_WORD && tok->type != T_QUOTED)
				return false;
		}
		else if (tok->tag == TAG_OPEN)
		{
			if (!scan_type_modifier(sc, tok))
				return false;
		}
		else if (tok->tag == TAG_BRACKET)
		{
			scan_token(sc, tok);
			if (tok->type == T_NUMBER)
				scan_token(sc, tok);
			if (tok->tag != TAG_UNBRACKET)
				return false;
		}
		else if (!continues_type(tok))
			return true;
	}
}

/* A constant or a parameter, without casts; leaves tok at its last token. */
static bool
scan_constant(Scanner *sc, Token *tok, ConstantList *list)
{
	if (tok->tag == TAG_SIGN)
	{
		scan_token(sc, tok);
		if (tok->type != T_NUMBER)
			return false;
	}
	else if (tok->type == T_WORD)
	{
		if (tok->tag == KW_NULL || tok->tag == KW_BOOLEAN)
		{
			if (!list->optimisable)
				return false;
		}
		else if (tok->tag != TAG_WORD)
			return false;
		else
		{
			/* date '2001-01-01' and the like */
			scan_token(sc, tok);
			if (tok->type != T_LITERAL)
				return false;
		}
	}
	else if (tok->type != T_NUMBER && tok->type != T_LITERAL &&
			 tok->type != T_PARAMETER)
		return false;

	if (!list->any)
		list->first = *tok;
	list->any = true;
	return true;
}

/* One element: a constant, or a row or an array of them; with casts. */
static bool
scan_element(Scanner *sc, Token *tok, ConstantList *list, Tag close, int depth)
{
	if (tok->tag == KW_ARRAY)
	{
		scan_token(sc, tok);
		if (tok->tag != TAG_BRACKET)
			return false;
	}
	else if (tok->tag == KW_ROW)
	{
		scan_token(sc, tok);
		if (tok->tag != TAG_OPEN)
			return false;
	}
	else if (tok->tag == TAG_BRACKET && close != TAG_UNBRACKET)
		return false;

	if (tok->tag == TAG_OPEN || tok->tag == TAG_BRACKET)
	{
		if (!scan_list(sc, list,
					   tok->tag == TAG_OPEN ? TAG_CLOSE : TAG_UNBRACKET,
					   depth + 1))
			return false;
	}
	else if (!scan_constant(sc, tok, list))
		return false;

	scan_token(sc, tok);
	while (tok->tag == TAG_CAST)
	{
		scan_token(sc, tok);
		if (!scan_type(sc, tok))
			return false;
	}
	return true;
}

/*
 * Behind the opening of a list: is it one of constants and parameters to its
 * end?  Leaves the scanner there.
 */
static bool
scan_list(Scanner *sc, ConstantList *list, Tag close, int depth)
{
	Token		tok;

	if (depth >= MAX_LIST_DEPTH)
		return false;
	do
	{
		scan_token(sc, &tok);
		if (!scan_element(sc, &tok, list, close, depth))
			return false;
		if (depth == 0 && list->elements < 2)
			list->elements++;
	} while (tok.tag == TAG_COMMA);
	return tok.tag == close;
}

/* ----------
 * Shapes: the statement in a statement
 * ----------
 */
static bool
is_query_word(const Token *tok)
{
	return IS_WORD(tok, "select") || IS_WORD(tok, "insert") ||
		IS_WORD(tok, "update") || IS_WORD(tok, "delete") ||
		IS_WORD(tok, "merge") || IS_WORD(tok, "values") ||
		IS_WORD(tok, "table") || IS_WORD(tok, "with");
}

/* Is an optimisable statement next, perhaps in parentheses? */
static bool
query_follows(const Scanner *sc)
{
	Scanner		ahead = *sc;
	Token		tok;

	ahead.at_start = false;
	do
	{
		scan_token(&ahead, &tok);
	} while (tok.tag == TAG_OPEN);
	return is_query_word(&tok);
}

/* Go behind a word at this depth of parentheses. */
static bool
skip_past(Scanner *sc, const char *name, int len)
{
	int			depth = sc->depth;
	Token		tok;

	do
	{
		scan_token(sc, &tok);
		if (tok.type == T_END || tok.tag == TAG_SEMICOLON)
			return false;
	} while (sc->depth != depth || !is_word(&tok, name, len));
	return true;
}

#define SKIP_PAST(sc, name) skip_past(sc, name, sizeof(name) - 1)

/* Go behind the options of EXPLAIN, in parentheses or bare. */
static bool
skip_explain_options(Scanner *sc)
{
	Scanner		ahead = *sc;
	int			depth = sc->depth;
	Token		tok;

	scan_token(&ahead, &tok);
	if (tok.tag == TAG_OPEN)
	{
		if (query_follows(sc))
			return true;
		while (ahead.depth > depth)
		{
			scan_token(&ahead, &tok);
			if (tok.type == T_END || tok.tag == TAG_SEMICOLON)
				return false;
		}
		*sc = ahead;
		return true;
	}
	while (IS_WORD(&tok, "analyze") || IS_WORD(&tok, "analyse") ||
		   IS_WORD(&tok, "verbose"))
	{
		*sc = ahead;
		scan_token(&ahead, &tok);
	}
	return true;
}

/* Behind CREATE: go behind the AS of a table or materialized view. */
static bool
skip_create_as(Scanner *sc)
{
	Token		tok;

	do
	{
		scan_token(sc, &tok);
	} while (IS_WORD(&tok, "global") || IS_WORD(&tok, "local") ||
			 IS_WORD(&tok, "temp") || IS_WORD(&tok, "temporary") ||
			 IS_WORD(&tok, "unlogged") || IS_WORD(&tok, "or") ||
			 IS_WORD(&tok, "replace"));
	return (IS_WORD(&tok, "table") || IS_WORD(&tok, "materialized")) &&
		SKIP_PAST(sc, "as");
}

/* Behind the first word of a statement: go to the statement in it. */
static bool
skip_wrapper(Scanner *sc)
{
	Token		tok;

	switch (sc->verb)
	{
		case VERB_EXPLAIN:
			return skip_explain_options(sc);
		case VERB_DECLARE:
			return SKIP_PAST(sc, "cursor") && SKIP_PAST(sc, "for");
		case VERB_CREATE:
			return skip_create_as(sc);
		case VERB_PREPARE:
			return SKIP_PAST(sc, "as");
		case VERB_COPY:
			scan_token(sc, &tok);
			return tok.tag == TAG_OPEN;
		default:
			return false;
	}
}

/*
 * Where the query ends that the scanner is before: at the end of the text or
 * of the parentheses around it, and before WITH [NO] DATA.
 */
static const uint8 *
end_of_query(Scanner *sc)
{
	int			depth = sc->depth;
	const uint8 *end = sc->at;
	const uint8 *before_with = NULL;
	Token		tok;

	sc->at_start = false;
	for (;;)
	{
		scan_token(sc, &tok);
		if (tok.type == T_END || tok.tag == TAG_SEMICOLON || sc->depth < depth)
			return end;
		if (IS_WORD(&tok, "with"))
			before_with = end;
		else if (IS_WORD(&tok, "data") && before_with != NULL)
		{
			Scanner		ahead = *sc;
			Token		next;

			scan_token(&ahead, &next);
			if (next.type == T_END || next.tag == TAG_SEMICOLON)
				return before_with;
		}
		else if (!IS_WORD(&tok, "no"))
			before_with = NULL;
		end = tok.end;
	}
}

/* The place of the statement in the statement that the scanner is before. */
static bool
find_inner(Scanner sc, const uint8 **from, const uint8 **to)
{
	Scanner		before;
	Token		tok;
	bool		wrapped = false;

	for (;;)
	{
		do
		{
			before = sc;
			scan_token(&sc, &tok);
		} while (tok.tag == TAG_SEMICOLON && !wrapped);

		if (!tok.first || !skip_wrapper(&sc))
			break;
		wrapped = true;
		sc.at_start = true;
	}
	if (!wrapped || !query_follows(&before))
		return false;
	*from = tok.start;
	*to = end_of_query(&before);
	return true;
}

bool
pgv_sqltext_inner(const char *sql, int len, bool std_strings,
				  int *inner_off, int *inner_len)
{
	Scanner		sc;
	const uint8 *from;
	const uint8 *to;

	init_scanner(&sc, sql, len, std_strings);
	if (!find_inner(sc, &from, &to))
		return false;
	*inner_off = (int) (from - (const uint8 *) sql);
	*inner_len = (int) (to - from);
	return true;
}

bool
pgv_sqltext_first(const char *sql, int len, bool std_strings,
				  int *first_off, int *first_len)
{
	Scanner		sc;
	Token		tok;
	const uint8 *from;
	const uint8 *to;

	init_scanner(&sc, sql, len, std_strings);
	do
		scan_token(&sc, &tok);
	while (tok.tag == TAG_SEMICOLON);
	if (tok.type == T_END)
		return false;
	from = tok.start;
	do
	{
		to = tok.end;
		scan_token(&sc, &tok);
	} while (tok.type != T_END &&
			 (tok.tag != TAG_SEMICOLON || sc.body_resume != NULL));
	*first_off = (int) (from - (const uint8 *) sql);
	*first_len = (int) (to - from);
	return true;
}

/* ----------
 * Normaliser: text
 * ----------
 */
typedef enum Ending
{
	ENDS_OTHERWISE,
	ENDS_IN_WORD,				/* a parameter needs a space behind it */
	ENDS_IN_PARAMETER			/* so does what begins with a letter or digit */
} Ending;

/*
 * Text is only ever written whole tokens at a time.  Once one does not fit,
 * nothing more is written.
 */
typedef struct Output
{
	char	   *dst;			/* or NULL */
	int			room;			/* without the NUL */
	int			used;
	int			cut;			/* last token's end that leaves room for " ..." */
	bool		full;
	uint8		ending;			/* Ending */
} Output;

static void
init_output(Output *out, char *dst, int dst_size)
{
	memset(out, 0, sizeof(*out));
	if (dst == NULL || dst_size <= 0)
	{
		out->full = true;
		return;
	}
	out->dst = dst;
	out->room = dst_size - 1;
}

static inline void
put(Output *out, const void *bytes, int len, bool spaced)
{
	int			space = spaced && out->used > 0;

	if (out->full)
		return;
	if (len > out->room - out->used - space)
	{
		out->full = true;
		return;
	}
	out->dst[out->used] = ' ';
	out->used += space;
	memcpy(out->dst + out->used, bytes, len);
	out->used += len;
	if (out->used <= out->room - ELLIPSIS_LEN)
		out->cut = out->used;
	out->ending = ENDS_OTHERWISE;
}

static inline void
put_word(Output *out, const void *bytes, int len, bool spaced)
{
	put(out, bytes, len, spaced || out->ending == ENDS_IN_PARAMETER);
	out->ending = ENDS_IN_WORD;
}

static inline void
put_parameter(Output *out, const void *bytes, int len, bool spaced)
{
	put(out, bytes, len, spaced || out->ending != ENDS_OTHERWISE);
	out->ending = ENDS_IN_PARAMETER;
}

/* Quoted identifiers can hold NULs; text cannot. */
static void
put_quoted(Output *out, const void *bytes, int len, bool spaced)
{
	char	   *p;
	char	   *end;

	put(out, bytes, len, spaced);
	if (out->full)
		return;
	end = out->dst + out->used;
	p = end - len;
	while ((p = memchr(p, '\0', end - p)) != NULL)
		*p = '?';
}

static void
put_numbered(Output *out, uint32 number, bool spaced)
{
	char		digits[12];
	char	   *p = digits + sizeof(digits);

	do
	{
		*--p = '0' + number % 10;
		number /= 10;
	} while (number > 0);
	*--p = '$';
	put_parameter(out, p, (int) (digits + sizeof(digits) - p), spaced);
}

/* End the text; returns its length. */
static int
finish_output(Output *out)
{
	const char *ellipsis = ELLIPSIS;
	int			len = ELLIPSIS_LEN;

	if (out->dst == NULL)
		return 0;
	if (out->full)
	{
		out->used = out->cut;
		if (out->used == 0)
		{
			ellipsis++;
			len--;
		}
		if (out->room >= ELLIPSIS_LEN)
		{
			memcpy(out->dst + out->used, ellipsis, len);
			out->used += len;
		}
	}
	out->dst[out->used] = '\0';
	return out->used;
}

/* ----------
 * Normaliser: hash
 * ----------
 */
static inline uint64
hash_byte(uint64 hash, uint8 byte)
{
	return (hash ^ byte) * FNV_PRIME;
}

static inline uint64
hash_bytes(uint64 hash, const uint8 *p, const uint8 *end)
{
	while (p < end)
		hash = hash_byte(hash, *p++);
	return hash_byte(hash, 0);
}

/* With A to Z as a to z; no other byte changes. */
static inline uint64
hash_word(uint64 hash, const uint8 *p, const uint8 *end)
{
	for (; p < end; p++)
		hash = hash_byte(hash, *p + ((uint8) (*p - 'A') < 26 ? 'a' - 'A' : 0));
	return hash_byte(hash, 0);
}

static uint64
hash_row(uint64 hash, uint64 row)
{
	for (int i = 0; i < 8; i++)
		hash = hash_byte(hash, (uint8) (row >> (8 * i)));
	return hash;
}

static uint64
finish_hash(uint64 hash)
{
	hash ^= hash >> 33;
	hash *= UINT64CONST(0xff51afd7ed558ccd);
	hash ^= hash >> 33;
	hash *= UINT64CONST(0xc4ceb9fe1a85ec53);
	hash ^= hash >> 33;
	return hash != 0 ? hash : 1;
}

/* ----------
 * Normaliser
 * ----------
 */

/* Where we are in the rows of a VALUES. */
typedef enum RowState
{
	IN_ROW,
	BEHIND_ROW,
	BEHIND_COMMA
} RowState;

/*
 * The rows of a VALUES.  What was behind a row is kept until it is known that
 * the next row differs from it.
 */
typedef struct RowFrame
{
	RowState	state;
	int			depth;			/* of parentheses in a row */
	bool		any;			/* there is a row before this one */
	bool		dots;			/* and ", ..." stands behind it */
	uint64		row;			/* its hash */
	uint64		outer;			/* hash before the row we are in */
	uint64		back_hash;		/* all three as behind the row before */
	uint32		back_literals;
	Output		back_out;
} RowFrame;

/* Which name, if any, is to be hidden. */
typedef enum Naming
{
	NAME_NONE,
	NAME_NEXT,
	NAME_AFTER_TO,
	NAME_AFTER_SAVEPOINT,		/* which may be missing */
	NAME_AFTER_PREPARE			/* likewise */
} Naming;

/*
 * Where in "SET name = value" we are.  The value of a setting of somebody's
 * own, name with a dot, may be a secret even where it is written as a word.
 */
typedef enum Setting
{
	SETTING_NONE,
	SETTING_NAME,
	SETTING_OWN_NAME,			/* a dot has been seen */
	SETTING_VALUE,
	SETTING_AFTER_VALUE
} Setting;

typedef struct Normaliser
{
	Scanner		sc;
	Scanner		begin;			/* the scanner as it was at first */
	Output		out;
	uint64		hash;
	uint64		clauses;		/* bit n: in ORDER BY or GROUP BY at depth n */
	const uint8 *inner;			/* where a statement in the statement begins */
	int64		highest;		/* highest $n of the text; -1: not looked for */
	uint32		literals;		/* numbered so far */
	Naming		naming;
	Setting		setting;
	bool		semicolon;		/* one to be written if more follows */
	bool		semicolon_spaced;
	bool		any;			/* a token has been written */
	bool		sign;			/* one left out, for the number that follows */
	bool		sign_spaced;
	int			frames_used;
	RowFrame	frames[MAX_ROW_FRAMES];
} Normaliser;

static void
emit_word(Normaliser *n, const Token *tok)
{
	put_word(&n->out, tok->start, TOKEN_LEN(tok), tok->spaced);
	n->hash = hash_word(n->hash, tok->start, tok->end);
}

static void
emit_quoted(Normaliser *n, const Token *tok)
{
	bool		prefixed = *tok->start != '"';	/* U&"..." */

	put_quoted(&n->out, tok->start, TOKEN_LEN(tok), tok->spaced ||
			   (prefixed && n->out.ending == ENDS_IN_PARAMETER));
	if (prefixed)
		n->hash = hash_bytes(hash_byte(n->hash, 'u'), tok->start + 1, tok->end);
	else
		n->hash = hash_bytes(n->hash, tok->start, tok->end);
}

static void
emit_symbol(Normaliser *n, const Token *tok)
{
	static const uint8 not_equals[] = {'<', '>'};

	put(&n->out, tok->start, TOKEN_LEN(tok), tok->spaced);
	if (*tok->start == '!' && TOKEN_LEN(tok) == 2 && tok->start[1] == '=')
		n->hash = hash_bytes(n->hash, not_equals, not_equals + 2);
	else
		n->hash = hash_bytes(n->hash, tok->start, tok->end);
}

static void
emit_stray(Normaliser *n, const Token *tok)
{
	uint8		byte = *tok->start;
	bool		control = byte < ' ' || byte == 0x7f;

	put(&n->out, control ? (const void *) "?" : tok->start, 1, tok->spaced);
	if (byte == '$')
		n->out.ending = ENDS_IN_WORD;
	if (control)
		n->hash = hash_byte(n->hash, HASH_CONTROL);
	n->hash = hash_bytes(n->hash, tok->start, tok->end);
}

static void
emit_body_delimiter(Normaliser *n, const Token *tok)
{
	static const uint8 delimiter[] = {'$', '$'};

	put(&n->out, delimiter, 2, tok->spaced);
	n->hash = hash_bytes(n->hash, delimiter, delimiter + 2);
}

static void
hash_parameter(Normaliser *n)
{
	n->hash = hash_byte(hash_byte(n->hash, HASH_PARAMETER), 0);
}

static void
emit_parameter(Normaliser *n, const Token *tok)
{
	put_parameter(&n->out, tok->start, TOKEN_LEN(tok), tok->spaced);
	hash_parameter(n);
}

/*
 * The highest $n of the text.  Only real ones count, or a string with a
 * dollar and digits in it would tell us something about itself.
 */
static int64
highest_parameter(Scanner sc)
{
	int64		highest = 0;
	Token		tok;

	if (memchr(sc.at, '$', sc.end - sc.at) == NULL)
		return 0;
	for (;;)
	{
		int64		number = 0;

		scan_token(&sc, &tok);
		if (tok.type == T_END)
			return highest;
		if (tok.type != T_PARAMETER)
			continue;
		for (const uint8 *p = tok.start + 1; p < tok.end; p++)
			number = number * 10 + (*p - '0');
		highest = Max(highest, number);
	}
}

static void
emit_literal(Normaliser *n, bool spaced)
{
	n->literals++;
	if (!n->out.full)
	{
		if (n->highest < 0)
			n->highest = highest_parameter(n->begin);
		put_numbered(&n->out, (uint32) n->highest + n->literals, spaced);
	}
	hash_parameter(n);
}

/* Is the statement at tok one that the planner sees? */
static bool
in_optimisable(const Normaliser *n, const Token *tok)
{
	return n->sc.verb == VERB_QUERY ||
		(n->inner != NULL && tok->start >= n->inner);
}

/*
 * Is TRUE, FALSE or NULL a value here?  Not as a label, in a test, or in the
 * clauses of SQL/JSON: NULL ON NULL, ABSENT ON NULL, FALSE ON ERROR.
 */
static bool
is_value(const Normaliser *n, const Token *tok)
{
	const Scanner *sc = &n->sc;
	Scanner		ahead;
	Token		next;

	if (!in_optimisable(n, tok) || sc->prev == KW_IS || sc->prev == KW_AS)
		return false;
	if (sc->prev == KW_NOT && (sc->prev2 == KW_IS || tok->tag == KW_NULL))
		return false;
	if (sc->prev == KW_ON && (sc->prev2 == KW_NULL || sc->prev2 == KW_ABSENT))
		return false;

	ahead = *sc;
	scan_token(&ahead, &next);
	if (next.tag != KW_ON)
		return true;
	scan_token(&ahead, &next);
	return !(next.tag == KW_NULL || IS_WORD(&next, "empty") ||
			 IS_WORD(&next, "error"));
}

/* Is the number an item of ORDER BY or GROUP BY, by itself? */
static bool
is_position(const Normaliser *n, const Token *tok)
{
	const Scanner *sc = &n->sc;
	Scanner		ahead;
	Token		next;

	if (sc->depth >= MAX_CLAUSE_DEPTH ||
		!(n->clauses & (UINT64CONST(1) << sc->depth)) ||
		TOKEN_LEN(tok) > 4)
		return false;
	if (sc->prev != KW_BY && sc->prev != TAG_COMMA &&
		!(sc->prev == KW_ALL && sc->prev2 == KW_BY))
		return false;
	for (const uint8 *p = tok->start; p < tok->end; p++)
	{
		if (!IS(*p, B_DIGIT))
			return false;
	}
	ahead = *sc;
	scan_token(&ahead, &next);
	return next.type == T_BODY_END || (tag_flags[next.tag] & F_AFTER_ITEM);
}

static void
normalise_number(Normaliser *n, const Token *tok)
{
	if (is_position(n, tok))
		emit_word(n, tok);
	else
		emit_literal(n, n->sign ? n->sign_spaced : tok->spaced);
	n->sign = false;
}

/* Is the sign at tok part of a number? */
static bool
is_sign_of_number(const Normaliser *n, const Token *tok)
{
	const Scanner *sc = &n->sc;
	const uint8 *p;

	if ((tag_flags[sc->prev] & F_OPERAND) &&
		!(sc->prev == TAG_WORD && sc->verb == VERB_SIGNED) &&
		!(sc->prev == KW_SEQUENCE && !in_optimisable(n, tok)))
		return false;
	p = skip_space(sc->at, sc->end);
	if (p < sc->end && *p == '.')
		p++;
	return p < sc->end && IS(*p, B_DIGIT);
}

/*
 * If the list that tok opens is one of constants, write it as one element and
 * go behind it.
 */
static bool
squash_list(Normaliser *n, const Token *tok, Tag close)
{
	Scanner		ahead = n->sc;
	ConstantList list = {0};
	Token		end = {0};

	list.optimisable = in_optimisable(n, tok);
	if (!scan_list(&ahead, &list, close, 0))
		return false;
	n->sc = ahead;

	emit_symbol(n, tok);
	if (list.first.type == T_PARAMETER)
	{
		list.first.spaced = false;
		emit_parameter(n, &list.first);
	}
	else
		emit_literal(n, false);
	if (list.elements > 1)
		put(&n->out, ", ...", 5, false);
	end.start = n->sc.at - 1;
	end.end = n->sc.at;
	emit_symbol(n, &end);
	return true;
}

/* ----------
 * Rows of VALUES
 * ----------
 */

/* A token comes while the innermost VALUES is between its rows. */
static void
continue_rows(Normaliser *n, const Token *tok)
{
	RowFrame   *frame = &n->frames[n->frames_used - 1];

	if (frame->state == BEHIND_ROW && tok->tag == TAG_COMMA)
	{
		frame->back_hash = n->hash;
		frame->back_literals = n->literals;
		frame->back_out = n->out;
		frame->state = BEHIND_COMMA;
	}
	else if (!(frame->state == BEHIND_COMMA && tok->tag == TAG_OPEN))
		n->frames_used--;
}

/* If the parenthesis that is being opened begins a row, hash that by itself. */
static void
open_row(Normaliser *n)
{
	int			used = n->frames_used;
	RowFrame   *frame;

	if (used > 0 && n->frames[used - 1].state == BEHIND_COMMA)
		frame = &n->frames[used - 1];
	else if (n->sc.prev == KW_VALUES && used < MAX_ROW_FRAMES)
	{
		frame = &n->frames[n->frames_used++];
		frame->any = false;
	}
	else
		return;
	frame->state = IN_ROW;
	frame->depth = n->sc.depth;
	frame->outer = n->hash;
	n->hash = FNV_BASIS;
}

/* A row is complete: if it is like the one before, it has never been. */
static void
close_row(Normaliser *n, RowFrame *frame)
{
	frame->state = BEHIND_ROW;
	if (frame->any && frame->row == n->hash)
	{
		n->hash = frame->back_hash;
		n->literals = frame->back_literals;
		n->out = frame->back_out;
		if (!frame->dots)
			put(&n->out, ", ...", 5, false);
		frame->dots = true;
		return;
	}
	frame->any = true;
	frame->dots = false;
	frame->row = n->hash;
	n->hash = hash_row(frame->outer, n->hash);
}

/* The statement or body ends; so do the rows that were left open. */
static void
abandon_rows(Normaliser *n)
{
	while (n->frames_used > 0)
	{
		RowFrame   *frame = &n->frames[--n->frames_used];

		if (frame->state == IN_ROW)
			n->hash = hash_row(frame->outer, n->hash);
	}
}

/* ----------
 * Tokens
 * ----------
 */
static void
normalise_open(Normaliser *n, const Token *tok)
{
	if (n->sc.prev == KW_IN && squash_list(n, tok, TAG_CLOSE))
		return;
	if (n->sc.depth < MAX_CLAUSE_DEPTH)
		n->clauses &= ~(UINT64CONST(1) << n->sc.depth);
	open_row(n);
	emit_symbol(n, tok);
}

static void
normalise_close(Normaliser *n, const Token *tok)
{
	RowFrame   *frame;

	emit_symbol(n, tok);
	if (n->frames_used == 0)
		return;
	frame = &n->frames[n->frames_used - 1];
	if (frame->state == IN_ROW && n->sc.depth < frame->depth)
		close_row(n, frame);
}

static void
normalise_symbol(Normaliser *n, const Token *tok)
{
	switch (tok->tag)
	{
		case TAG_OPEN:
			normalise_open(n, tok);
			break;
		case TAG_CLOSE:
			normalise_close(n, tok);
			break;
		case TAG_BRACKET:
			if (n->sc.prev != KW_ARRAY || !squash_list(n, tok, TAG_UNBRACKET))
				emit_symbol(n, tok);
			break;
		case TAG_SIGN:
			if (is_sign_of_number(n, tok))
			{
				n->sign = true;
				n->sign_spaced = tok->spaced;
			}
			else
				emit_symbol(n, tok);
			break;
		default:
			emit_symbol(n, tok);
			break;
	}
}

/* Is a name, the last token of its statement, next? */
static bool
name_follows(const Normaliser *n)
{
	Scanner		ahead = n->sc;
	Token		next;

	scan_token(&ahead, &next);
	return next.type == T_WORD || next.type == T_QUOTED;
}

static bool
statement_ends(const Normaliser *n)
{
	Scanner		ahead = n->sc;
	Token		next;

	scan_token(&ahead, &next);
	return next.type == T_END || next.tag == TAG_SEMICOLON;
}

/*
 * In SAVEPOINT, RELEASE, ROLLBACK and DEALLOCATE: is this the name?  Drivers
 * make up a new one each time.
 */
static bool
is_passing_name(Normaliser *n, const Token *tok)
{
	switch (n->naming)
	{
		case NAME_AFTER_TO:
			if (IS_WORD(tok, "to"))
				n->naming = NAME_AFTER_SAVEPOINT;
			return false;
		case NAME_AFTER_SAVEPOINT:
		case NAME_AFTER_PREPARE:
			if ((IS_WORD(tok, "savepoint") || IS_WORD(tok, "prepare")) &&
				name_follows(n))
			{
				n->naming = NAME_NEXT;
				return false;
			}
			break;
		default:
			break;
	}
	n->naming = NAME_NONE;
	return statement_ends(n) &&
		!(n->sc.verb == VERB_DEALLOCATE && tok->tag == KW_ALL);
}

static bool
is_symbol(const Token *tok, char c)
{
	return tok->type == T_SYMBOL && tok->end - tok->start == 1 && *tok->start == c;
}

/* Follow "SET name = value"; is this token a value to be hidden? */
static bool
is_own_value(Normaliser *n, const Token *tok)
{
	bool		name = tok->type == T_WORD || tok->type == T_QUOTED;

	switch (n->setting)
	{
		case SETTING_NONE:
			if (tok->type == T_WORD && IS_WORD(tok, "set") && !in_optimisable(n, tok))
				n->setting = SETTING_NAME;
			return false;
		case SETTING_NAME:
		case SETTING_OWN_NAME:
			if (is_symbol(tok, '.'))
				n->setting = SETTING_OWN_NAME;
			else if (is_symbol(tok, '=') || (tok->type == T_WORD && IS_WORD(tok, "to")))
				n->setting = n->setting == SETTING_OWN_NAME ? SETTING_VALUE : SETTING_NONE;
			else if (!name)
				n->setting = SETTING_NONE;
			return false;
		case SETTING_VALUE:
			n->setting = SETTING_AFTER_VALUE;
			return name && !(tok->type == T_WORD && IS_WORD(tok, "default"));
		default:
			n->setting = is_symbol(tok, ',') ? SETTING_VALUE : SETTING_NONE;
			return false;
	}
}

/* The first word of a statement tells what to look for in it. */
static void
begin_normalising(Normaliser *n, const Token *tok)
{
	Scanner		sc = n->sc;
	const uint8 *end;

	n->naming = NAME_NONE;
	n->inner = NULL;
	switch (n->sc.verb)
	{
		case VERB_SAVEPOINT:
			n->naming = NAME_NEXT;
			break;
		case VERB_RELEASE:
			n->naming = NAME_AFTER_SAVEPOINT;
			break;
		case VERB_ROLLBACK:
			n->naming = NAME_AFTER_TO;
			break;
		case VERB_DEALLOCATE:
			n->naming = NAME_AFTER_PREPARE;
			break;
		case VERB_COPY:
		case VERB_CREATE:
		case VERB_DECLARE:
		case VERB_EXPLAIN:
		case VERB_PREPARE:
			sc.at = tok->start;
			sc.at_start = true;
			if (!find_inner(sc, &n->inner, &end))
				n->inner = NULL;
			break;
		default:
			break;
	}
}

static void
normalise_word(Normaliser *n, const Token *tok)
{
	int			tag = tok->tag;

	if (tok->first)
		begin_normalising(n, tok);
	else if (n->naming != NAME_NONE && is_passing_name(n, tok))
	{
		emit_literal(n, tok->spaced);
		return;
	}

	if ((tag == KW_NULL || tag == KW_BOOLEAN) && is_value(n, tok))
	{
		emit_literal(n, tok->spaced);
		return;
	}
	if (n->sc.depth < MAX_CLAUSE_DEPTH)
	{
		uint64		clause = UINT64CONST(1) << n->sc.depth;

		if (tag == KW_BY && n->sc.prev == KW_ORDER)
			n->clauses |= clause;
		else if (tag_flags[tag] & F_ENDS_CLAUSE)
			n->clauses &= ~clause;
	}
	emit_word(n, tok);
}

/* A semicolon counts only if something follows it. */
static void
note_semicolon(Normaliser *n, const Token *tok)
{
	abandon_rows(n);
	n->clauses = 0;
	n->naming = NAME_NONE;
	n->setting = SETTING_NONE;
	if (n->any && !n->semicolon)
	{
		n->semicolon = true;
		n->semicolon_spaced = tok->spaced;
	}
}

static void
emit_semicolon(Normaliser *n)
{
	static const uint8 semicolon[] = {';'};

	put(&n->out, semicolon, 1, n->semicolon_spaced);
	n->hash = hash_bytes(n->hash, semicolon, semicolon + 1);
	n->semicolon = false;
}

static void
normalise_body(Normaliser *n, const Token *tok)
{
	abandon_rows(n);
	n->clauses = 0;
	emit_body_delimiter(n, tok);
}

static void
normalise_token(Normaliser *n, const Token *tok)
{
	if (tok->tag == TAG_SEMICOLON)
	{
		note_semicolon(n, tok);
		return;
	}
	if (n->semicolon)
		emit_semicolon(n);
	n->any = true;
	if (n->frames_used > 0 && n->frames[n->frames_used - 1].state != IN_ROW)
		continue_rows(n, tok);
	if (tok->type != T_WORD && tok->type != T_QUOTED)
		n->naming = NAME_NONE;
	if (is_own_value(n, tok))
	{
		emit_literal(n, tok->spaced);
		return;
	}

	switch (tok->type)
	{
		case T_WORD:
			normalise_word(n, tok);
			break;
		case T_QUOTED:
			if (n->naming != NAME_NONE && is_passing_name(n, tok))
				emit_literal(n, tok->spaced);
			else
				emit_quoted(n, tok);
			break;
		case T_NUMBER:
			normalise_number(n, tok);
			break;
		case T_LITERAL:
			emit_literal(n, tok->spaced);
			break;
		case T_PARAMETER:
			emit_parameter(n, tok);
			break;
		case T_SYMBOL:
			normalise_symbol(n, tok);
			break;
		case T_STRAY:
			emit_stray(n, tok);
			break;
		default:
			normalise_body(n, tok);
			break;
	}
}

void
pgv_sqltext_normalise(const char *sql, int len, bool std_strings,
					  char *dst, int dst_size, PgvSqlNormal *out)
{
	Normaliser	n;
	Token		tok;

	/* the row frames need no clearing, and are the most of it */
	memset(&n, 0, offsetof(Normaliser, frames));
	init_scanner(&n.sc, sql, len, std_strings);
	n.begin = n.sc;
	init_output(&n.out, dst, dst_size);
	n.hash = FNV_BASIS;
	n.highest = -1;

	for (;;)
	{
		scan_token(&n.sc, &tok);
		if (tok.type == T_END)
			break;
		normalise_token(&n, &tok);
	}
	abandon_rows(&n);

	out->fingerprint = finish_hash(n.hash);
	out->truncated = n.out.dst != NULL && n.out.full;
	out->len = finish_output(&n.out);
}
