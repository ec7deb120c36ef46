package commandline

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// User stands for users on the command line where a rule names a flag.
const User = "USER"

// Rule is what one flag demands of others: Needs is at least one of these, Not is none of these, Only is none
// of the command's own but these. Names stand in one text, with blanks between. Why is said with a refusal.
type Rule struct{ Flag, Needs, Not, Only, Why string }

// Check refuses flags that do not go together.
func Check(cmd *cobra.Command, args []string, rules []Rule) error {
	given := func(name string) bool {
		return name == User && len(args) > 0 || asks(cmd.Flags().Lookup(name))
	}
	for _, r := range rules {
		if !given(r.Flag) {
			continue
		}
		if needs := strings.Fields(r.Needs); len(needs) > 0 && !slices.ContainsFunc(needs, given) {
			return userdb.UsageError(spelt(r.Flag)+" requires "+list(needs, "or"), "", "", r.Why)
		}
		for _, other := range append(strings.Fields(r.Not), r.others(cmd)...) {
			if given(other) {
				return userdb.UsageError("use only one of "+list([]string{r.Flag, other}, "and"), "", "", r.Why)
			}
		}
	}
	return nil
}

// others are the command's own flags that the rule does not allow beside its flag.
func (r Rule) others(cmd *cobra.Command) (names []string) {
	if r.Only == "" {
		return nil
	}
	allowed := append(strings.Fields(r.Only), r.Flag)
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(allowed, f.Name) {
			names = append(names, f.Name)
		}
	})
	return names
}

// asks says whether a flag asks for something: a switch that is off and a number of 0 do not.
func asks(f *pflag.Flag) bool {
	if f == nil || !f.Changed {
		return false
	}
	switch f.Value.Type() {
	case "bool":
		return f.Value.String() != "false"
	case wholeNumber:
		return f.Value.String() != "0"
	}
	return true
}

func list(names []string, word string) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			b.WriteString(" " + word + " ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(spelt(name))
	}
	return b.String()
}

func spelt(name string) string {
	if name == User {
		return "users on the command line"
	}
	return "--" + name
}
