package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// costCap is the flag --max-cost: a run that may cost more once is not begun.
type costCap struct {
	usd   float64
	given bool
}

func (c *costCap) add(flags *pflag.FlagSet) {
	flags.Var(c, "max-cost", "begin nothing if moving these users may cost more than so many dollars once, estimated on the high side")
}

func (c *costCap) Set(s string) (err error) {
	c.usd, err = strconv.ParseFloat(strings.TrimPrefix(s, "$"), 64)
	if err != nil || !(c.usd >= 0) || math.IsInf(c.usd, 0) {
		return fmt.Errorf("%q is no amount of dollars", s)
	}
	c.given = true
	return nil
}

func (c *costCap) Type() string { return "usd" }

func (c *costCap) String() string {
	if !c.given {
		return ""
	}
	return strconv.FormatFloat(c.usd, 'f', -1, 64)
}

// check compares the cap with the most that moving the users who are still in R2 may cost, with nothing of what the plan includes left. The rows
// are not counted here: a database of small rows under many indexes is assumed.
func (c *costCap) check(users []migrate.Found) error {
	if !c.given {
		return nil
	}
	moved, entries := cost.Users{}, cost.Entries{}
	for _, u := range users {
		if u.Place == migrate.PlaceR2 {
			moved = cost.Users{Count: moved.Count + 1, Bytes: moved.Bytes + u.Bytes}
			entries = entries.Add(cost.Estimated(u.Bytes))
		}
	}
	once := cost.Once(moved, entries, false)
	if once.High <= c.usd {
		return nil
	}
	return usageError("check --max-cost", formatUSD(c.usd),
		fmt.Sprintf("moving %s with %s may cost %s once, by %s to %s rows and index entries written, list prices of %s and nothing included",
			plural(moved.Count, "user"), units.FormatSize(moved.Bytes), formatRange(once.Low, once.High), formatInteger(entries.Low), formatInteger(entries.High), cost.PricesOf),
		"`dbmigrate scan --deep` counts the rows; then raise --max-cost, or choose fewer users")
}
