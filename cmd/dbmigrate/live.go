package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
)

// waitsForFlag is the step of a user who is done but for his flag, which goes out with those of others.
const waitsForFlag migrate.Stage = "waits for the flag"

// flights counts the users who are worked on, and those who wait for their flags.
func (r *fleetRun) flights() (flying, flags int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, stage := range r.inFlight {
		if stage == waitsForFlag {
			flags++
		} else {
			flying++
		}
	}
	return flying, flags
}

func (r *fleetRun) flying() int {
	flying, _ := r.flights()
	return flying
}

// live says what a terminal and a log show of this moment: who is worked on, who waits, and for what.
func (r *fleetRun) live() report.Live {
	flying, flags := r.flights()
	live := report.Live{InFlight: flying}
	if flags > 0 {
		live.Waiting = append(live.Waiting, fmt.Sprintf("%d for their flags", flags))
	}
	waits := r.traffic.waits(time.Now())
	for _, who := range slices.Sorted(maps.Keys(waits)) {
		live.Waiting = append(live.Waiting, fmt.Sprintf("%s throttles (%s)", who, units.FormatDuration(max(waits[who].Round(time.Second), time.Second))))
	}
	return live
}

func total(sizes map[string]int64) (bytes int64) {
	for _, size := range sizes {
		bytes += size
	}
	return bytes
}

// commandLine is a command as it was given, for records: its flags with their values, which hold no secret (those come from the environment only), and
// how many users were named, not whom. The values that name users are left out, too.
func commandLine(cmd *cobra.Command, args []string) []string {
	line := []string{cmd.Name()}
	cmd.Flags().Visit(func(f *pflag.Flag) { line = append(line, "--"+f.Name+"="+valueForRecords(cmd, f)) })
	if len(args) > 0 {
		line = append(line, "("+units.Plural(len(args), "user")+" named)")
	}
	return line
}

// valueForRecords leaves out who is excluded, and whose writes were given up. The plan that gc confirms names nobody.
func valueForRecords(cmd *cobra.Command, f *pflag.Flag) string {
	if f.Name == "exclude" || f.Name == "confirm" && cmd.Name() == "rollback" {
		return "(given)"
	}
	return f.Value.String()
}
