# Counting tests.  Every runner ends with the line "N passed, N failed".

# tally PASSED FAILED: print that line; the status says whether all is well, which
# it is not when nothing ran.
tally() {
	echo "$1 passed, $2 failed"
	[ "$2" -eq 0 ] && [ "$1" -gt 0 ]
}

# last_tally FILE: the numbers of the last such line; a runner without one failed.
last_tally() {
	local counts
	counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | tail -n 1)
	echo "${counts:-0 1}"
}

# regress_tests FILE: what pg_regress printed, as lines "ok NAME" and "failed NAME".
# Up to 15 it prints "test NAME ... ok", from 16 on "ok 1 - NAME".
regress_tests() {
	sed -nE \
		-e 's/^(test|    ) +([^ ]+) +\.\.\. ok .*/ok \2/p' \
		-e 's/^(test|    ) +([^ ]+) +\.\.\. FAILED.*/failed \2/p' \
		-e 's/^ok [0-9]+ +[-+] ([^ ]+).*/ok \1/p' \
		-e 's/^not ok [0-9]+ +[-+] ([^ ]+).*/failed \1/p' "$1"
}

# tap_counts FILE: from the output of prove -v, "PASSED FAILED SKIPPED".
tap_counts() {
	awk '/^ok [0-9]+.*# *[Ss][Kk][Ii][Pp]/   { skipped++; next }
	     /^not ok [0-9]+.*# *TODO/           { passed++; next }
	     /^ok [0-9]+/                        { passed++ }
	     /^not ok [0-9]+/                    { failed++ }
	     END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# crashes LOG: how many crashes a server's log tells of; they go to stderr.
crashes() {
	local sign='was terminated by signal|PANIC:|TRAP:'
	grep -E "$sign" "$1" >&2
	grep -cE "$sign" "$1"
}
