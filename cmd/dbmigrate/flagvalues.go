package main

import (
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
)

// sizeValue is a flag such as 1MB.
type sizeValue struct {
	bytes int64
	given bool
}

func (v *sizeValue) Set(s string) (err error) {
	v.bytes, err = units.ParseSize(s)
	v.given = true
	return err
}

func (v *sizeValue) Type() string { return "size" }

func (v *sizeValue) String() string {
	if v.bytes == 0 {
		return ""
	}
	// Whole units without decimals: the default in a help text reads as one would type it.
	return strings.NewReplacer(".00 ", "", " ", "").Replace(units.FormatSize(v.bytes))
}

// ageValue is a flag such as 30d. It keeps what was typed, so that a command that is suggested repeats it exactly.
type ageValue struct {
	time.Duration
	typed string
}

func (v *ageValue) Set(s string) (err error) {
	v.Duration, err = units.ParseDuration(s)
	v.typed = s
	return err
}

func (v *ageValue) Type() string { return "age" }

func (v *ageValue) String() string { return v.typed }
