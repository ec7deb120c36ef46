package scan

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
)

// CostCap is the flag --max-cost: a run that may cost more once is not begun.
type CostCap struct {
	usd   float64
	given bool
}

// Set reads the flag.
func (c *CostCap) Set(s string) (err error) {
	c.usd, err = strconv.ParseFloat(strings.TrimPrefix(s, "$"), 64)
	if err != nil || !(c.usd >= 0) || math.IsInf(c.usd, 0) {
		return fmt.Errorf("%q is no amount of dollars", s)
	}
	c.given = true
	return nil
}

// Type names the value in help texts.
func (c *CostCap) Type() string { return "usd" }

// String is the value as one would type it.
func (c *CostCap) String() string {
	if !c.given {
		return ""
	}
	return strconv.FormatFloat(c.usd, 'f', -1, 64)
}

// Check refuses to move users where that may cost more.
func (c *CostCap) Check(users []inspect.Found) error {
	if !c.given {
		return nil
	}
	return checkCap(c.usd, users)
}
