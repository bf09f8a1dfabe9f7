"""The table of faults is true: every row has its tests, or says why it has none."""
import scenarios


def test_every_row_is_tested_or_says_why_not():
    found = scenarios.tests()
    numbers = {number for test in found for number in test.numbers}
    assert [row.number for row in scenarios.ROWS] == list(range(1, len(scenarios.ROWS) + 1))
    assert numbers <= {row.number for row in scenarios.ROWS}
    for row in scenarios.ROWS:
        assert (row.number in numbers) != bool(row.why_not), "row %d: tested, or a reason, not both" % row.number
    # What only the long tests show is not shown by a usual run.
    short = {number for test in found if not test.long and not test.nova for number in test.numbers}
    assert len(short) >= 25
