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
		"--cats 10":     `"10" is not between 0 and 9`,
		"--cats -1":     `"-1" is not between 0 and 9`,
		"--cats x":      `"x" is no number`,
		"--dogs 0":      `"0" is less than 1`,
		"--dogs 7":      "",
		"--share 1":     "",
		"--share 1.1":   `"1.1" is not between 0 and 1`,
		"--share NaN":   `"NaN" is not between 0 and 1`,
		"--share -Inf":  `"-Inf" is not between 0 and 1`,
		"--share fifty": `"fifty" is no number`,
	} {
		cmd := feed()
		got := ""
		if err := cmd.ParseFlags(strings.Fields(given)); err != nil {
			got = FlagError(cmd, err).Error()
		}
		name, _, _ := strings.Cut(given, " ")
		if want != "" {
			want = "read " + name + ": " + want + " (see feed --help)"
		}
		if got != want {
			t.Errorf("%s: %q, not %q", given, got, want)
		}
	}
}
