package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/plain"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ask puts a question to the person at the terminal. Ctrl-C is an answer, too.
func (a *app) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.stderr, plain.Text(question)) // it may hold names from files
	answer := make(chan string, 1)
	go func() {
		// An end of input is an empty answer: it confirms nothing.
		text, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.TrimRight(text, "\r\n")
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.stderr)
		return "", &userdb.Error{
			Op:   "ask",
			Kind: userdb.Interrupted,
			Err:  fmt.Errorf("interrupted: nothing was changed"),
		}
	case text := <-answer:
		return text, nil
	}
}

// confirmUsage is the one meaning of --confirm.
const confirmUsage = "do exactly what the same command printed before; it printed this `text`, too"
