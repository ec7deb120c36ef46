package doctor

import (
	"context"
	"regexp"
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
	before := map[string]Finding{}
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
		before = map[string]Finding{}
		for _, f := range findings {
			before[f.Check] = f
		}
		if !pause(ctx, out, every) {
			return failed, nil
		}
	}
}

// pause waits for the next look, and says whether there is one. Nobody is told that nothing happens
// meanwhile.
func pause(ctx context.Context, out *terminal.Output, every time.Duration) (again bool) {
	defer out.Rest()()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(every):
		return true
	}
}

// varying is what differs from look to look although nothing has changed: times, how many of the questions
// were answered so, and the ports that connections begin at.
var varying = regexp.MustCompile(
	`\b(\d+(\.\d+)?(ns|µs|ms|s|m|h|d))+\b|\(\d+ of \d+\)|; no time for the rest of \d+ questions|:\d+->`,
)

// same says whether a check went as in the look before: a failure for the same cause, and the Worker in the
// same version.
func same(was, now Finding) bool {
	if okText(was) != okText(now) {
		return false
	}
	return !now.failed() && now.Check != checkVersion ||
		varying.ReplaceAllString(was.Detail, "") == varying.ReplaceAllString(now.Detail, "")
}

// stopped is nothing where the look was only cut off by the end of the watch.
func stopped(err error) error {
	if err == context.Canceled {
		return nil
	}
	return err
}

// printChanges shows the checks that went otherwise in the look before.
func printChanges(out *terminal.Output, findings []Finding, before map[string]Finding) (failed int, err error) {
	sheet := terminal.NewSheet(out, columns)
	for _, f := range findings {
		if f.failed() {
			failed++
		}
		was, known := before[f.Check]
		if known && same(was, f) {
			continue
		}
		at := time.Now().UTC().Format(time.TimeOnly)
		switch {
		case f.NotTried:
			out.Say("%s %s: not tried: %s", at, f.Check, f.Detail)
		case f.OK && known && !was.OK:
			out.Say("%s %s: ok again: %s", at, f.Check, f.Detail)
		case f.OK: // the look before could not get so far, or another version answers
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
