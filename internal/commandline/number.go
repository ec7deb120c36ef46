package commandline

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// Int adds a flag with a whole number from least to most; most of math.MaxInt is no bound.
func Int(flags *pflag.FlagSet, to *int, name string, value, least, most int, usage string) {
	*to = value
	flags.Var(&number[int]{to: to, least: least, most: most, kind: "int", parse: strconv.Atoi}, name, usage)
}

// Float adds a flag with a number from 0 to most, such as 1 for a share.
func Float(flags *pflag.FlagSet, to *float64, name string, most float64, usage string) {
	parse := func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	flags.Var(&number[float64]{to: to, most: most, kind: "float64", parse: parse}, name, usage)
}

type number[T int | float64] struct {
	to          *T
	least, most T
	kind        string
	parse       func(string) (T, error)
}

// Set reads the flag.
func (n *number[T]) Set(s string) error {
	value, err := n.parse(s)
	if err != nil {
		return err
	}
	if value >= n.least && value <= n.most {
		*n.to = value
		return nil
	}
	if float64(n.most) < math.MaxInt {
		return fmt.Errorf("%q is not between %v and %v", s, n.least, n.most)
	}
	return fmt.Errorf("%q is less than %v", s, n.least)
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
