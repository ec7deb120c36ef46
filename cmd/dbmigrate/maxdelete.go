package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
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

// has says whether so many files, with so many bytes in all, are still within the limit.
func (v *limitValue) has(files int, bytes int64) bool {
	switch {
	case v.typed == "":
		return true
	case v.bytes > 0:
		return bytes <= v.bytes
	}
	return files <= v.files
}

// cap leaves in the plan what is within the limit, the longest migrated first, and keeps the rest for another time.
func (v *limitValue) cap(plan migrate.GCPlan) migrate.GCPlan {
	if v.typed == "" {
		return plan
	}
	items := slices.Clone(plan.Free)
	slices.SortFunc(items, func(a, b migrate.GCItem) int {
		return cmp.Or(cmp.Compare(a.MigratedAt, b.MigratedAt), cmp.Compare(a.User, b.User))
	})
	plan.Free = nil
	var bytes int64
	for _, item := range items {
		if bytes += item.Bytes; v.has(len(plan.Free)+1, bytes) {
			plan.Free = append(plan.Free, item)
			continue
		}
		bytes -= item.Bytes
		plan.Keep = append(plan.Keep, migrate.Result{User: item.User, Action: migrate.ActionGC, Outcome: migrate.OutcomeKept, Bytes: item.Bytes,
			Reason: "may be freed, but --max-delete " + v.typed + " is reached"})
	}
	sortByUser(plan.Free)
	return plan
}
