package plot

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestColumnsThatSayNothingAreLeftOut takes tables without the server that is compared with, and without goals.
func TestColumnsThatSayNothingAreLeftOut(t *testing.T) {
	whole := worked()
	head, _, _ := strings.Cut(whole.Markdown(), "\n")
	if !strings.Contains(head, "Restante / hand-rolled") || !strings.Contains(head, "| goal") {
		t.Errorf("the head is %s", head)
	}
	whole.Columns, whole.Rows = whole.Columns[:1], whole.Rows[:1]
	whole.Rows[0].Goals = nil
	if head, _, _ = strings.Cut(whole.Markdown(), "\n"); strings.Contains(head, " / ") || strings.Contains(head, "goal") {
		t.Errorf("the head is %s", head)
	}
}

// TestATableIsStraight wants each line as long as the others, with as many cells, whatever stands in them.
func TestATableIsStraight(t *testing.T) {
	table := worked()
	table.Rows[0].Title, table.Columns[1].Title = "a | b\nc", "→ d\te|"
	table.Runs[0].Failed = "line\nline | line"
	text := table.Markdown()
	grid, notes, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(grid, "\n")
	if len(lines) != len(table.Rows)+2 {
		t.Fatalf("there are %d lines:\n%s", len(lines), text)
	}
	for _, line := range lines {
		bare := strings.ReplaceAll(line, `\|`, "  ")
		if utf8.RuneCountInString(line) != utf8.RuneCountInString(lines[0]) || strings.Count(bare, "|") != len(table.Columns)+5 {
			t.Errorf("a line is %s", line)
		}
	}
	if !strings.Contains(notes, "line line | line") {
		t.Errorf("the notes are %s", notes)
	}
}
