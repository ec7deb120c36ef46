package harness

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Account is one user's line of --output json.
type Account struct {
	User    string `json:"user"`
	Outcome string `json:"outcome"`
	Open    bool   `json:"open"`
	Reason  string `json:"reason"`
	Error   *struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

// Finished is what a run left. Exit is -1 when it was killed.
type Finished struct {
	Command        string
	Exit           int
	Stdout, Stderr string
	Accounts       map[string]Account
	Summary        Summary
}

// Summary is what the last line says about the whole run.
type Summary struct {
	Interrupted bool   `json:"interrupted"`
	NotBegun    int    `json:"notBegun"`
	Plan        string `json:"plan"`

	Run         string   `json:"run"`
	Failed      int      `json:"failed"`
	FlagsLeft   []string `json:"flagsLeft"`
	FlagsUnread bool     `json:"flagsUnread"`
}

// String is everything, for a failure's message.
func (f Finished) String() string {
	return fmt.Sprintf("dbmigrate %s: exit %d\n%s%s", f.Command, f.Exit, f.Stdout, f.Stderr)
}

// parse reads the lines of a run; one that was killed may have left half a line.
func (f *Finished) parse() error {
	for line := range strings.Lines(f.Stdout) {
		var l struct {
			Account
			Summary *Summary `json:"summary"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			if f.Exit == -1 {
				continue
			}
			return fmt.Errorf("%v\nis no JSON line: %w", f, err)
		}
		if l.User != "" {
			f.Accounts[l.User] = l.Account
		}
		if l.Summary != nil {
			f.Summary = *l.Summary
		}
	}
	return nil
}

// Line is the run in one line, for tables.
func (f Finished) Line() string {
	var words []string
	for _, a := range f.Accounts {
		word := a.Outcome
		if a.Error != nil {
			word = "failed (" + a.Error.Kind + ")"
		}
		if a.Open {
			word += ", open"
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return fmt.Sprintf(
		"%s: exit %d: %s",
		strings.Fields(f.Command)[0],
		f.Exit,
		strings.Join(slices.Compact(words), "; "),
	)
}

// State is what status says about a user.
type State struct {
	User    string
	Serves  string `json:"servedBy"` // file, object, split or none
	Phase   string
	Problem string
}

// States asks status about the users.
func (o *Operator) States(users ...string) (map[string]State, error) {
	f, err := o.Run(append([]string{"status"}, users...)...)
	if err != nil {
		return nil, err
	}
	states := map[string]State{}
	for line := range strings.Lines(f.Stdout) {
		var s State
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			return nil, fmt.Errorf("%v: %w", f, err)
		}
		if s.User != "" {
			states[s.User] = s
		}
	}
	if len(states) != len(users) {
		return nil, fmt.Errorf("status knows %d of %d users: %v", len(states), len(users), f)
	}
	return states, nil
}
