package faults

import (
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// team is an operator with some users.
type team struct {
	op    *harness.Operator
	users []*harness.User
}

func (tm team) names() []string {
	var all []string
	for _, u := range tm.users {
		all = append(all, u.Name)
	}
	return all
}

// args is a command line for all users. gc wants the name of its plan, made just before.
func (tm team) args(command string) ([]string, error) {
	args := append([]string{command}, tm.names()...)
	if command != "gc" {
		return args, nil
	}
	args = append(args, "--older-than", "0s")
	plan, err := tm.op.Must(0, args...)
	return append(args, "--confirm", plan.Summary.Plan), err
}

// suffers runs a command in trouble, demands a clear account of it, and then runs the same command without
// trouble. serves is the side that answers the users once the command is done.
func (tm team) suffers(
	command, serves string,
	rule faultproxy.Rule,
	stops []string,
) (harness.Finished, error) {
	args, err := tm.args(command)
	if err != nil {
		return harness.Finished{}, err
	}
	tm.op.Proxy.Reset(rule)
	f, err := tm.op.Run(args...)
	tm.op.Proxy.Reset(nil)
	if err != nil {
		return f, err
	}
	if err := tm.mustBeClear(f, serves, stops); err != nil {
		return f, fmt.Errorf("%w\n%v", err, f)
	}
	return f, tm.finishes(command, serves)
}

// mustBeClear holds what the command said against what is. It may exit 0 only if every user is where the
// command takes them. Writes may wait only for those who are said to be open, and every read must have every
// acknowledged write.
func (tm team) mustBeClear(f harness.Finished, serves string, stops []string) error {
	if err := clearEnd(f, stops); err != nil {
		return err
	}
	now, err := tm.op.States(tm.names()...)
	if err != nil {
		return err
	}
	for _, u := range tm.users {
		a, accounted := f.Accounts[u.Name]
		if accounted == stoppedWhole(f) {
			return fmt.Errorf(
				"a command that stopped before any user has no accounts, and every other one has one for %s",
				u.Name,
			)
		}
		if err := clearAccount(a, accounted, now[u.Name].Serves, serves); err != nil {
			return fmt.Errorf("%s: %w", u.Name, err)
		}
		if err := stillServed(u, now[u.Name].Serves); err != nil {
			return err
		}
	}
	return nil
}

// stoppedWhole says whether the command ended before it began with anybody: 2 for what a person has to mend,
// 1 where the platform asked to wait.
func stoppedWhole(f harness.Finished) bool {
	return f.Exit == 2 || f.Exit == 1 && len(f.Accounts) == 0
}

// clearEnd looks at the run as a whole.
func clearEnd(f harness.Finished, stops []string) error {
	failed := 0
	for _, a := range f.Accounts {
		if a.Error == nil {
			continue
		}
		failed++
		if !slices.Contains(append(stops, "interrupted"), a.Error.Kind) {
			return fmt.Errorf("kind %s is not of %v", a.Error.Kind, stops)
		}
	}
	switch {
	case f.Exit != 0 && len(stops) == 0:
		return fmt.Errorf("it had to finish")
	case f.Exit != 0 && f.Exit != 1 && f.Exit != 2 || f.Exit != 0 && f.Stderr == "":
		return fmt.Errorf("no clear end")
	case f.Exit == 1 && failed == 0 && !stoppedWhole(f) || f.Exit == 0 && failed > 0:
		return fmt.Errorf("the exit code contradicts the accounts")
	}
	return nil
}

// clearAccount looks at one user. A PUT with an unknown fate may fence the file later: such a user is open,
// too, although the file still serves.
func clearAccount(a harness.Account, accounted bool, now, serves string) error {
	if accounted && a.Error == nil && now != serves {
		return fmt.Errorf("said to be done, and served by %s", now)
	}
	if now == "none" && !a.Open {
		return fmt.Errorf("not said to be open, and nobody takes writes")
	}
	return nil
}

func stillServed(u *harness.User, by string) error {
	if by != "none" {
		if err := u.Write(); err != nil {
			return err
		}
	}
	return u.Check()
}

// finishes runs a command undisturbed: it ends, and the right side serves.
func (tm team) finishes(command, serves string) error {
	args, err := tm.args(command)
	if err != nil {
		return err
	}
	if _, err := tm.op.Must(0, args...); err != nil {
		return err
	}
	now, err := tm.op.States(tm.names()...)
	if err != nil {
		return err
	}
	for _, u := range tm.users {
		if s := now[u.Name]; s.Serves != serves || s.Problem != "" {
			return fmt.Errorf("after an undisturbed %s, status says %+v", command, s)
		}
		if err := stillServed(u, serves); err != nil {
			return err
		}
	}
	return nil
}
