package main

import (
	"errors"
	"io"
	"math"
	"os"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/pager"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// addTop adds --top to a command that lists users.
func addTop(top *int, flags *pflag.FlagSet) {
	commandline.Int(flags, top, "top", 0, 0, math.MaxInt, "show only the first `n` users; the summary is about all")
}

// listing makes a command one that shows a long list page by page, where a person is at the terminal.
func (a *app) listing() {
	if !a.out.OutTerminal || a.out.Format != terminal.Table {
		return
	}
	command := pager.Command(a.getenv, os.LookupEnv)
	if command == nil {
		return
	}
	a.out.Pager = func() (io.WriteCloser, error) { return pager.Start(command, a.stdout, a.stderr) }
}

// looked is the outcome of a command that only looks: a reader who has seen enough, as `head` has, is no
// failure.
func looked(err error) error {
	if errors.Is(err, terminal.ErrReaderGone) {
		return nil
	}
	return err
}
