package commandline

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// feed is a command with flags of all kinds.
func feed() *cobra.Command {
	cmd := &cobra.Command{Use: "feed"}
	flags := cmd.Flags()
	flags.Bool("all", false, "")
	flags.Bool("slowly", false, "")
	flags.String("bowl", "", "")
	flags.String("spoon", "", "")
	var n int
	var f float64
	Int(flags, &n, "cats", 3, 0, 9, "")
	Int(flags, &n, "dogs", 3, 1, 1<<63-1, "")
	Float(flags, &f, "share", 1, "")
	return cmd
}

func TestRules(t *testing.T) {
	rules := []Rule{
		{Flag: "slowly", Needs: "bowl spoon", Why: "a hand is fast"},
		{Flag: "all", Not: "cats USER"},
		{Flag: "spoon", Only: "slowly"},
	}
	for given, want := range map[string]string{
		"--slowly --bowl b":     "",
		"--slowly --spoon s":    "",
		"--slowly":              "--slowly requires --bowl or --spoon (a hand is fast)",
		"--slowly=false":        "",
		"--all --cats 2":        "use only one of --all and --cats",
		"--all --cats 0":        "",
		"--all tom":             "use only one of --all and users on the command line",
		"--all=false tom":       "",
		"tom":                   "",
		"--spoon s --share 0.5": "use only one of --spoon and --share",
	} {
		cmd := feed()
		if err := cmd.ParseFlags(strings.Fields(given)); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := Check(cmd, cmd.Flags().Args(), rules); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, not %q", given, got, want)
		}
	}
}

func TestNumbersHaveBounds(t *testing.T) {
	for given, want := range map[string]string{
		"--cats 9":      "",
		"--cats 10":     `must be a whole number from 0 to 9, not "10"`,
		"--cats -1":     `must be a whole number from 0 to 9, not "-1"`,
		"--cats x":      `must be a whole number from 0 to 9, not "x"`,
		"--dogs 0":      `must be a whole number of at least 1, not "0"`,
		"--dogs 7":      "",
		"--share 1":     "",
		"--share 1.1":   `must be a number from 0 to 1, not "1.1"`,
		"--share NaN":   `must be a number from 0 to 1, not "NaN"`,
		"--share -Inf":  `must be a number from 0 to 1, not "-Inf"`,
		"--share fifty": `must be a number from 0 to 1, not "fifty"`,
	} {
		cmd := feed()
		got := ""
		if err := cmd.ParseFlags(strings.Fields(given)); err != nil {
			got = FlagError(cmd, err).Error()
		}
		name, _, _ := strings.Cut(given, " ")
		if want != "" {
			want = name + " " + want + " (see feed --help)"
		}
		if got != want {
			t.Errorf("%s: %q, not %q", given, got, want)
		}
	}
}
