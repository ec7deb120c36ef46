package gcplan

import (
	"fmt"
	"strconv"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
)

// Limit is the flag --max-delete, which bounds files (500) or bytes (20GB).
type Limit struct {
	files int
	bytes int64
	Typed string // as it was typed
}

// Set reads the flag.
func (v *Limit) Set(s string) error {
	*v = Limit{Typed: s}
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

// Type names the value in help texts.
func (v *Limit) Type() string { return "limit" }

// String is the value as it was typed.
func (v *Limit) String() string { return v.Typed }

// limit is nil where nothing was typed.
func (v *Limit) limit() *gc.Limit {
	if v.Typed == "" {
		return nil
	}
	return &gc.Limit{Files: v.files, Bytes: v.bytes}
}

// Within leaves in the plan what is within the limit.
func (v *Limit) Within(plan gc.Plan) gc.Plan {
	return plan.Within(v.limit(), "may be freed, but --max-delete "+v.Typed+" is reached")
}
