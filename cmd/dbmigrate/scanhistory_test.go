package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// past puts a scan of some days ago into a history: "past file days user=bytes...".
func past(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: past file days user=bytes...")
	}
	days, err := strconv.Atoi(args[1])
	ts.Check(err)
	sizes := map[string]int64{}
	for _, arg := range args[2:] {
		user, size, _ := strings.Cut(arg, "=")
		sizes[user], err = units.ParseSize(size)
		ts.Check(err)
	}
	h, err := scanlog.Open(
		context.Background(),
		ts.MkAbs(args[0]),
		scanlog.Scope{Endpoint: s.S3Endpoint, Bucket: s.Bucket, Layout: userdb.DefaultLayout},
	)
	ts.Check(err)
	defer h.Close()
	ts.Check(
		h.Record(
			context.Background(),
			scanlog.Scan{Run: fmt.Sprint(days), At: time.Now().Add(-time.Duration(days) * units.Day)},
			scanlog.SizesOf(sizes),
		),
	)
}
