package fleet

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

// waitsForFlag is the step of a user who is done but for the flag, which goes out with those of others.
const waitsForFlag result.Stage = "waits for the flag"

// flights counts the users who are worked on, and those who wait for their flags.
func (o *run) flights() (flying, flags int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, stage := range o.inFlight {
		if stage == waitsForFlag {
			flags++
		} else {
			flying++
		}
	}
	return flying, flags
}

func (o *run) flying() int {
	flying, _ := o.flights()
	return flying
}

// live says what a terminal and a log show of this moment: who is worked on, who waits, and for what.
func (o *run) live() report.Live {
	flying, flags := o.flights()
	live := report.Live{InFlight: flying}
	if flags > 0 {
		live.Waiting = append(live.Waiting, fmt.Sprintf("%d for their flags", flags))
	}
	waits := o.Traffic.waits(time.Now())
	for _, who := range slices.Sorted(maps.Keys(waits)) {
		live.Waiting = append(
			live.Waiting,
			fmt.Sprintf(
				"%s throttles (%s)",
				who,
				units.FormatDuration(max(waits[who].Round(time.Second), time.Second)),
			),
		)
	}
	return live
}

func total(sizes map[string]int64) (bytes int64) {
	for _, size := range sizes {
		bytes += size
	}
	return bytes
}
