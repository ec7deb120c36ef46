package userdb_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A shell reads the words of a printed command as they were meant.
func TestArg(t *testing.T) {
	for _, id := range []string{
		"alice", "a.b+c@example.com", "a b", " a", "-rf", "--all", "it's", `"q"`, "$(touch x)", "`id`", "a;b", "a&b", "a|b",
		"*", "~", "!1", "#1", "<x>", "é 日本", "a'b\"c$d`e", "=x", "(a)", "{a,b}", "[a]",
	} {
		u := userdb.UserID(id)
		out, err := exec.Command("sh", "-c", "printf '%s\\n' status "+u.Arg()).CombinedOutput()
		if err != nil {
			t.Errorf("%q as %s: %v: %s", id, u.Arg(), err, out)
			continue
		}
		words := slices.DeleteFunc(
			strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"),
			func(w string) bool { return w == "--" },
		)
		if !slices.Equal(words, []string{"status", id}) {
			t.Errorf("%q as %s: a shell reads %q", id, u.Arg(), words)
		}
		if strings.HasPrefix(id, "-") != strings.HasPrefix(u.Arg(), "-- ") {
			t.Errorf("%q as %s: would be a flag", id, u.Arg())
		}
	}
}
