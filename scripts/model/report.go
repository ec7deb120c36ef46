package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
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
	fmt.Fprintf(
		out,
		lineFormat,
		s.name,
		s.what,
		fmt.Sprintf("%.0f", r.states),
		complete,
		r.took.Round(time.Second),
		verdict,
	)
}

// finding is a search with its result.
type finding struct {
	search
	result
}

// publish writes what was found into the page. A quick run has too little for it.
func publish(o options, searches, mutations []finding) error {
	if o.quick {
		return errors.New("-doc wants the whole model, not a quick run")
	}
	var ordinary, larger []finding
	for _, f := range searches {
		if f.size == full {
			larger = append(larger, f)
		} else {
			ordinary = append(ordinary, f)
		}
	}
	err := errors.Join(
		docpage.Replace(o.doc, "searches", searchTable(ordinary)),
		docpage.Replace(o.doc, "mutations", mutationTable(mutations)),
	)
	if len(larger) > 0 {
		err = errors.Join(err, docpage.Replace(o.doc, "searches-full", searchTable(larger)))
	}
	return err
}

func searchTable(found []finding) string {
	var b strings.Builder
	b.WriteString("| search | world | states | complete | time | result |\n|---|---|---|---|---|---|\n")
	for _, f := range found {
		fmt.Fprintf(
			&b,
			"| `%s` | %s | %s | yes | %s | no violation |\n",
			f.name,
			f.what,
			grouped(f.states),
			f.took.Round(time.Second),
		)
	}
	return b.String()
}

func mutationTable(found []finding) string {
	var b strings.Builder
	b.WriteString("| removed | what | breaks | counterexample after |\n|---|---|---|---|\n")
	for _, f := range found {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s states |\n", f.name, f.what, f.violated, grouped(f.states))
	}
	return b.String()
}

// grouped is a whole number with its thousands apart.
func grouped(n float64) string {
	digits := fmt.Sprintf("%.0f", n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
