package commandline

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// Int adds a flag with a whole number from least to most; most of math.MaxInt is no bound.
func Int(flags *pflag.FlagSet, to *int, name string, value, least, most int, usage string) {
	*to = value
	flags.Var(&number[int]{to: to, least: least, most: most, kind: wholeNumber, parse: strconv.Atoi}, name, usage)
}

// Float adds a flag with a number from 0 to most, such as 1 for a share.
func Float(flags *pflag.FlagSet, to *float64, name string, most float64, usage string) {
	parse := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	flags.Var(&number[float64]{to: to, most: most, kind: "number", parse: parse}, name, usage)
}

// wholeNumber is how help calls the value of a flag that takes one.
const wholeNumber = "n"

type number[T int | float64] struct {
	to          *T
	least, most T
	kind        string
	parse       func(string) (T, error)
}

// Set reads the flag.
func (n *number[T]) Set(s string) error {
	value, err := n.parse(s)
	if err == nil && value >= n.least && value <= n.most {
		*n.to = value
		return nil
	}
	what := map[string]string{wholeNumber: "whole number"}[n.kind]
	what = cmp.Or(what, n.kind)
	if float64(n.most) < math.MaxInt {
		return fmt.Errorf("must be a %s from %v to %v, not %q", what, n.least, n.most, s)
	}
	return fmt.Errorf("must be a %s of at least %v, not %q", what, n.least, s)
}

// Type names the value in help texts.
func (n *number[T]) Type() string { return n.kind }

// String is the value.
func (n *number[T]) String() string {
	if n.to == nil {
		return "0"
	}
	return fmt.Sprint(*n.to)
}
