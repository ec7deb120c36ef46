package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// Argument is the program's only argument when it is to be such a process; the next one is the budget of
// memory.
const Argument = "check-files"

// ServeIfAsked does not return in a process that a Pool started. Every program with a Pool calls it before
// anything else.
func ServeIfAsked() {
	if len(os.Args) != 3 || os.Args[1] != Argument {
		return
	}
	memory, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err == nil {
		err = serve(os.Stdin, os.Stdout, memory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "check files:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve answers jobs until there are no more. The process that started it decides about its end: a Ctrl-C on
// the terminal reaches both.
func serve(in io.Reader, out io.Writer, memory int64) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	ignoreFileLimit()
	if memory > 0 {
		if err := limitMemory(memory); err != nil {
			return err
		}
	}
	jobs := make(chan job)
	go readJobs(in, jobs)
	answers := json.NewEncoder(out)
	for j := range jobs {
		if err := limitFiles(j.scratchBytes()); err != nil {
			return err
		}
		if err := answers.Encode(j.do()); err != nil {
			return err
		}
	}
	return nil
}

// readJobs reads ahead, to see at once that nobody waits for an answer any more: not even a check without end
// outlives that.
func readJobs(in io.Reader, jobs chan<- job) {
	lines := json.NewDecoder(bufio.NewReader(in))
	for {
		var j job
		if err := lines.Decode(&j); errors.Is(err, io.EOF) {
			os.Exit(0)
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "check files: read a job:", err)
			os.Exit(1)
		}
		jobs <- j
	}
}
