package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
)

// limitValue is a flag that bounds files (500) or bytes (20GB).
type limitValue struct {
	files int
	bytes int64
	typed string
}

func (v *limitValue) Set(s string) error {
	*v = limitValue{typed: s}
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 {
			return fmt.Errorf("%q is negative", s)
		}
		v.files = n
		return nil
	}
	var err error
	v.bytes, err = units.ParseSize(s)
	return err
}

func (v *limitValue) Type() string { return "limit" }

func (v *limitValue) String() string { return v.typed }

// limit is nil where nothing was typed.
func (v *limitValue) limit() *gc.Limit {
	if v.typed == "" {
		return nil
	}
	return &gc.Limit{Files: v.files, Bytes: v.bytes}
}

// within leaves in the plan what is within the limit.
func (v *limitValue) within(plan gc.Plan) gc.Plan {
	return plan.Within(v.limit(), "may be freed, but --max-delete "+v.typed+" is reached")
}

// costCap is the flag --max-cost: a run that may cost more once is not begun.
type costCap struct {
	usd   float64
	given bool
}

func (c *costCap) add(flags *pflag.FlagSet) {
	flags.Var(
		c,
		"max-cost",
		"begin nothing if moving these users may cost more than so many dollars once, estimated on the high side",
	)
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

func (c *costCap) check(users []inspect.Found) error {
	if !c.given {
		return nil
	}
	return scan.CheckCap(c.usd, users)
}
