#!/usr/bin/env python3
"""Prints what a ctest run did, test case by test case, from its JUnit file.

Test programs end with `<program>: N passed, N failed, N skipped` and print one line
`skipped: <reason> [<case>]` per skipped case (tests/support/main.cpp). A test without such a line is
one case, which passed, failed or was skipped. Exits with 1 if anything failed or nothing ran.
"""
import collections
import re
import sys
import xml.etree.ElementTree as ElementTree

TALLY = re.compile(r"^\S+: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
SKIP = re.compile(r"^skipped( in part)?: (.+?)(?: \[(.*)\])?$", re.MULTILINE)


def tally(test):
    """(passed, failed, skipped) of one <testcase>."""
    output = test.findtext("system-out") or ""
    counts = [sum(numbers) for numbers in zip(*(map(int, t) for t in TALLY.findall(output)))]
    passed, failed, skipped = counts or (0, 0, 0)
    notice = test.find("skipped")
    did_not_run = notice is not None and "SKIP_RETURN_CODE" not in notice.get("message", "")
    if test.get("status") == "fail" or did_not_run:
        failed = max(failed, 1)  # it may have died before it could count
    elif not counts and notice is not None:
        skipped = 1
    elif not counts:
        passed = 1
    return passed, failed, skipped


def main(path):
    tests = ElementTree.parse(path).getroot().findall("testcase")
    totals = [0, 0, 0]
    reasons = collections.defaultdict(list)
    for test in tests:
        counts = tally(test)
        totals = [total + count for total, count in zip(totals, counts)]
        if counts[1]:
            print(f"failed: {test.get('name')} ({counts[1]})")
        for in_part, reason, case in SKIP.findall(test.findtext("system-out") or ""):
            reasons[reason].append(f"{test.get('name')}: {case or 'all'}{in_part}")
        if counts[2] and not SKIP.search(test.findtext("system-out") or ""):
            reasons["no reason given"].append(test.get("name"))
    for reason, cases in sorted(reasons.items()):
        print(f"skipped, {reason}: {len(cases)}")
        for case in cases:
            print(f"  {case}")
    print(f"{len(tests)} test programs; test cases:")
    print("{} passed, {} failed, {} skipped".format(*totals))
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
