"""libpq for test/soak, by ctypes: nothing needs to be installed for it.

Values go and come as text.  The protocols are "simple" (values written into the
statement), "extended" (the unnamed statement) and "named" (prepared once).
"""

import ctypes
import os
import re
from ctypes import byref, c_char_p, c_int, c_void_p

COMMAND_OK, TUPLES_OK, COPY_OUT, COPY_IN = 1, 2, 3, 4


def _load():
    try:
        lib = ctypes.CDLL('libpq.so.5')
    except OSError:
        directory = os.popen(f"'{os.environ['PG_CONFIG']}' --libdir").read().strip()
        lib = ctypes.CDLL(f'{directory}/libpq.so.5')
    for name, result, arguments in (
            ('PQconnectdb', c_void_p, [c_char_p]),
            ('PQstatus', c_int, [c_void_p]),
            ('PQerrorMessage', c_char_p, [c_void_p]),
            ('PQfinish', None, [c_void_p]),
            ('PQexec', c_void_p, [c_void_p, c_char_p]),
            ('PQexecParams', c_void_p, [c_void_p, c_char_p, c_int] + [c_void_p] * 4 + [c_int]),
            ('PQprepare', c_void_p, [c_void_p, c_char_p, c_char_p, c_int, c_void_p]),
            ('PQexecPrepared', c_void_p, [c_void_p, c_char_p, c_int] + [c_void_p] * 3 + [c_int]),
            ('PQsendQueryParams', c_int, [c_void_p, c_char_p, c_int] + [c_void_p] * 4 + [c_int]),
            ('PQenterPipelineMode', c_int, [c_void_p]),
            ('PQexitPipelineMode', c_int, [c_void_p]),
            ('PQpipelineSync', c_int, [c_void_p]),
            ('PQgetResult', c_void_p, [c_void_p]),
            ('PQresultStatus', c_int, [c_void_p]),
            ('PQresultErrorMessage', c_char_p, [c_void_p]),
            ('PQresultErrorField', c_char_p, [c_void_p, c_int]),
            ('PQntuples', c_int, [c_void_p]),
            ('PQnfields', c_int, [c_void_p]),
            ('PQgetvalue', c_char_p, [c_void_p, c_int, c_int]),
            ('PQclear', None, [c_void_p]),
            ('PQputCopyData', c_int, [c_void_p, c_char_p, c_int]),
            ('PQputCopyEnd', c_int, [c_void_p, c_char_p]),
            ('PQgetCopyData', c_int, [c_void_p, c_void_p, c_int]),
            ('PQfreemem', None, [c_void_p]),
            ('PQsetNoticeProcessor', c_void_p, [c_void_p, c_void_p, c_void_p])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


_pq = _load()
_NOTICE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)


class Failure(Exception):
    def __init__(self, message, state):
        super().__init__(message.strip())
        self.state = state


class Connection:
    def __init__(self, conninfo, protocol='extended', on_notice=None):
        self.protocol = protocol
        self._names = {}
        self._conn = _pq.PQconnectdb(conninfo.encode())
        if _pq.PQstatus(self._conn) != 0:
            raise Failure(_pq.PQerrorMessage(self._conn).decode(), None)
        self._notice = _NOTICE(lambda _, text: on_notice and on_notice(text.decode().strip()))
        _pq.PQsetNoticeProcessor(self._conn, ctypes.cast(self._notice, c_void_p), None)

    def close(self):
        _pq.PQfinish(self._conn)
        self._conn = None

    def run(self, sql, *values):
        """Rows of a statement, as tuples of texts."""
        if self.protocol == 'simple' or not values:
            return self._rows(_pq.PQexec(self._conn, with_literals(sql, values).encode()))
        array = _array(values)
        if self.protocol == 'extended':
            return self._rows(_pq.PQexecParams(self._conn, sql.encode(), len(values), None, array, None, None, 0))
        name = self._names.get(sql)
        if name is None:
            name = f's{len(self._names)}'.encode()
            self._rows(_pq.PQprepare(self._conn, name, sql.encode(), 0, None))
            self._names[sql] = name
        return self._rows(_pq.PQexecPrepared(self._conn, name, len(values), array, None, None, 0))

    def pipeline(self, statements):
        """All of them without waiting, one Sync; rows of each."""
        _pq.PQenterPipelineMode(self._conn)
        for sql, values in statements:
            _pq.PQsendQueryParams(self._conn, sql.encode(), len(values), None, _array(values), None, None, 0)
        _pq.PQpipelineSync(self._conn)
        try:
            return [self._pipelined() for _ in statements]
        finally:
            _pq.PQclear(_pq.PQgetResult(self._conn))
            _pq.PQexitPipelineMode(self._conn)

    def _pipelined(self):
        try:
            return self._rows(_pq.PQgetResult(self._conn))
        finally:
            while True:
                result = _pq.PQgetResult(self._conn)
                if not result:
                    break
                _pq.PQclear(result)

    def copy_in(self, sql, data):
        self._rows(_pq.PQexec(self._conn, sql.encode()), COPY_IN)
        data = data.encode()
        _pq.PQputCopyData(self._conn, data, len(data))
        _pq.PQputCopyEnd(self._conn, None)
        self._end_of_copy()

    def copy_out(self, sql):
        self._rows(_pq.PQexec(self._conn, sql.encode()), COPY_OUT)
        buffer = c_void_p()
        while _pq.PQgetCopyData(self._conn, byref(buffer), 0) > 0:
            _pq.PQfreemem(buffer)
        self._end_of_copy()

    def _end_of_copy(self):
        self._rows(_pq.PQgetResult(self._conn))
        _pq.PQclear(_pq.PQgetResult(self._conn))

    def _rows(self, result, *also):
        try:
            status = _pq.PQresultStatus(result)
            if status == TUPLES_OK:
                columns = range(_pq.PQnfields(result))
                return [tuple(_pq.PQgetvalue(result, i, j).decode() for j in columns)
                        for i in range(_pq.PQntuples(result))]
            if status == COMMAND_OK or status in also:
                return []
            state = _pq.PQresultErrorField(result, ord('C')) if result else None
            raise Failure((_pq.PQresultErrorMessage(result) or _pq.PQerrorMessage(self._conn)).decode(),
                          state.decode() if state else None)
        finally:
            _pq.PQclear(result)


def _array(values):
    return (c_char_p * len(values))(*(str(v).encode() for v in values))


def with_literals(sql, values):
    def literal(match):
        value = values[int(match[1]) - 1]
        return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"
    return re.sub(r'\$(\d+)', literal, sql) if values else sql
