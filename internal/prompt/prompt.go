// Package prompt asks the person at the terminal.
package prompt

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/dbmigrate/dbmigrate/internal/escape"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Prompt asks at Err and reads the answer from In.
type Prompt struct {
	In, Err *os.File
	// Yes says that nobody is to be asked: yes is the answer where nothing is lost by it.
	Yes bool
}

// IsTerminal says whether a person may be there.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Screen is how large a terminal is.
type Screen struct{ Columns, Rows int }

// Size is the size of the terminal; one that does not say is as the first ones were.
func Size(f *os.File) Screen {
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return Screen{80, 24}
	}
	return Screen{columns, rows}
}

// ShowsUnicode says by the locale whether a terminal shows more than ASCII.
func ShowsUnicode(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := strings.ToLower(getenv(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// AtTerminal says whether a person can be asked.
func (p Prompt) AtTerminal() bool { return !p.Yes && IsTerminal(p.In) && IsTerminal(p.Err) }

// Ask puts a question. Ctrl-C is an answer, too.
func (p Prompt) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(p.Err, escape.Text(question)) // it may hold names from files
	answer := make(chan string, 1)
	go func() {
		// An end of input is an empty answer: it confirms nothing.
		text, _ := bufio.NewReader(p.In).ReadString('\n')
		answer <- strings.TrimRight(text, "\r\n")
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.Err)
		return "", &userdb.Error{
			Op:   "ask",
			Kind: userdb.Interrupted,
			Err:  fmt.Errorf("interrupted: nothing was changed"),
		}
	case text := <-answer:
		return text, nil
	}
}

// NameOf is a short name of a set: words that carry it confirm this set and no other of the same size.
func NameOf(set []string) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(set)), "\n")))
	return hex.EncodeToString(sum[:4])
}

// ConfirmKept is Confirm for what a command can bring back: a yes is enough.
func (p Prompt) ConfirmKept(ctx context.Context, what, words, given string) error {
	if p.Yes && given == "" {
		return nil
	}
	return p.confirm(ctx, what, words, given, " or --yes")
}

// Confirm asks for the words, where they were not given. Without a terminal nothing is changed. It is for
// what no command brings back, so a yes does not take the words' place.
func (p Prompt) Confirm(ctx context.Context, what, words, given string) error {
	more := ""
	if p.Yes {
		more = ": --yes is not enough where something is lost"
	}
	return p.confirm(ctx, what, words, given, more)
}

func (p Prompt) confirm(ctx context.Context, what, words, given, more string) error {
	if given == "" && p.AtTerminal() {
		var err error
		if given, err = p.Ask(ctx, fmt.Sprintf("Type %q to go on: ", words)); err != nil {
			return err
		}
	}
	if given != words {
		return userdb.UsageError(
			what,
			"",
			"not confirmed: nothing was changed",
			fmt.Sprintf("to go on, pass --confirm %s%s", userdb.ShellWord(words), more),
		)
	}
	return nil
}
