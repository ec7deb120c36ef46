// Command stack runs a command against Cloudflare's local runtime:
//
//	go run ./scripts/stack [flags] -- command args...
//
// The command finds the local R2, KV and Worker through the environment variables that dbmigrate reads. When
// it ends, everything is stopped, and stack exits with the command's code (`go run` turns any failure into 1;
// build it where the code matters). Without a command it prints the variables for a shell to evaluate and
// runs until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dbmigrate/dbmigrate/internal/localruntime"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

func main() {
	var options stack.Options
	flag.StringVar(
		&options.WorkerDir,
		"worker",
		"",
		"folder with wrangler.jsonc and node_modules (default: worker/ of this module)",
	)
	flag.StringVar(&options.ConfigPath, "config", "", "another wrangler configuration")
	flag.StringVar(&options.PersistDir, "persist", "", "state folder to keep (default: a temporary one)")
	flag.Func(
		"var",
		"`NAME=value` of the Worker, such as OLD_PATH=unconditional; repeat it for more",
		func(text string) error {
			name, value, found := strings.Cut(text, "=")
			if !found || name == "" {
				return errors.New("it is not NAME=value")
			}
			if options.Vars == nil {
				options.Vars = map[string]string{}
			}
			options.Vars[name] = value
			return nil
		},
	)
	verbose := flag.Bool("verbose", false, "show wrangler's output on stderr")
	flag.Parse()
	if *verbose {
		options.Log = os.Stderr
	}
	code, err := run(options, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(options stack.Options, command []string) (code int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s, err := stack.Start(ctx, options)
	cancel()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if len(command) == 0 {
		return 0, serve(s, os.Stdout)
	}
	return localruntime.RunCommand(command, append(os.Environ(), s.Env()...))
}

// serve prints the variables and waits for the end.
func serve(s *stack.Stack, out io.Writer) error {
	for _, entry := range s.Env() {
		name, value, _ := strings.Cut(entry, "=")
		if _, err := fmt.Fprintf(out, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`)); err != nil {
			return err
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	<-ctx.Done()
	return nil
}
