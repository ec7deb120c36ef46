package main

import (
	"fmt"
	"io"
	"time"
)

const lineFormat = "%-26s %-46s %12s %-9s %7s  %s\n"

func printHead(out io.Writer) {
	fmt.Fprintf(out, lineFormat, "name", "what", "states", "complete", "time", "result")
}

func printLine(out io.Writer, s search, r result) {
	complete := "-"
	if s.breaks == "" {
		complete = "no"
		if r.complete {
			complete = "yes"
		}
	}
	verdict := r.fault(s)
	switch {
	case verdict != "":
		verdict = "FAILED: " + verdict
	case s.breaks != "":
		verdict = "breaks " + r.violated
	default:
		verdict = "no violation"
	}
	fmt.Fprintf(out, lineFormat, s.name, s.what, fmt.Sprintf("%.0f", r.states), complete, r.took.Round(time.Second), verdict)
}
