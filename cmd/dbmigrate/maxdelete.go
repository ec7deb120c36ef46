package main

import (
	"fmt"
	"strconv"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
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
