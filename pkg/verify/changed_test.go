package verify

import (
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestChangedTables(t *testing.T) {
	before := digestOf(0, tableOf("dropped", 1), tableOf("emptied", 1, 2), tableOf("same", 1), tableOf("zero"))
	now := digestOf(0, tableOf("emptied"), tableOf("new", 5), tableOf("same", 1))
	now.Tables[2].Census = wire.Census{} // of a side that takes none
	var got []string
	for _, c := range ChangedTables(before, now) {
		text := c.Name
		if c.Dropped() {
			text += " (dropped)"
		}
		got = append(got, text)
		if c.Before.Name != "" && c.Before.Name != c.Name || c.Now.Name != "" && c.Now.Name != c.Name {
			t.Errorf("%s is put beside another table: %+v", c.Name, c)
		}
	}
	want := []string{"emptied", "new", "dropped (dropped)", "zero (dropped)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if again := ChangedTables(before, before); again != nil {
		t.Errorf("against itself: %+v", again)
	}
}
