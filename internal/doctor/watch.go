package doctor

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Watch looks again and again, and shows what has changed, until ctx ends. It returns how many checks failed
// in the last look.
func Watch(
	ctx context.Context,
	c config.Config,
	o Options,
	every time.Duration,
	out *terminal.Output,
) (failed int, err error) {
	before := map[string]string{}
	for first := true; ; first = false {
		findings, err := Look(ctx, c, o)
		if err != nil {
			return failed, stopped(err)
		}
		if first {
			failed, err = Print(out, findings)
		} else {
			failed, err = printChanges(out, findings, before)
		}
		if err != nil {
			return failed, err
		}
		before = map[string]string{}
		for _, f := range findings {
			before[f.Check] = okText(f)
		}
		select {
		case <-ctx.Done():
			return failed, nil
		case <-time.After(every):
		}
	}
}

// stopped is nothing where the look was only cut off by the end of the watch.
func stopped(err error) error {
	if err == context.Canceled {
		return nil
	}
	return err
}

// printChanges shows the checks that went otherwise in the look before.
func printChanges(out *terminal.Output, findings []Finding, before map[string]string) (failed int, err error) {
	sheet := terminal.NewSheet(out, columns)
	for _, f := range findings {
		if f.failed() {
			failed++
		}
		was, known := before[f.Check]
		if known && was == okText(f) {
			continue
		}
		at := time.Now().UTC().Format(time.TimeOnly)
		switch {
		case f.NotTried:
			out.Say("%s %s: not tried: %s", at, f.Check, f.Detail)
		case f.OK && known:
			out.Say("%s %s: ok again: %s", at, f.Check, f.Detail)
		case f.OK: // the look before could not get so far
			out.Say("%s %s: ok: %s", at, f.Check, f.Detail)
		default:
			out.Warn("%s %s: FAIL: %s (%s)", at, f.Check, f.Detail, f.Fix)
		}
		if out.Format == terminal.Table {
			continue
		}
		if err := sheet.Add(f); err != nil {
			return failed, err
		}
	}
	return failed, nil
}
