package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/checker"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// loadConfig resolves flags, environment, dbmigrate.toml and wrangler file.
func (a *app) loadConfig(environmentSet bool) (config.Config, error) {
	in, err := a.configInput(environmentSet)
	if err != nil {
		return config.Config{}, err
	}
	return config.Load(in)
}

func (a *app) configInput(environmentSet bool) (config.Input, error) {
	dir, err := os.Getwd()
	if err != nil {
		return config.Input{}, usageError("find the working folder", "", err.Error(), "")
	}
	return config.Input{
		Flags:          a.global.values,
		File:           a.global.file,
		Environment:    a.global.environment,
		EnvironmentSet: environmentSet,
		Profile:        a.global.profile,
		Dir:            dir,
		Getenv:         a.getenv,
	}, nil
}

func newR2(c config.Config, t userdb.Traffic) (*r2.Client, error) {
	if err := c.NeedR2(); err != nil {
		return nil, err
	}
	return r2.New(
		r2.Config{
			Endpoint:        c.R2Endpoint,
			Bucket:          c.Bucket,
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: c.SecretKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
			Traffic:         t,
		},
	)
}

func newKV(c config.Config, budget int, t userdb.Traffic) (*kv.Client, error) {
	if err := c.NeedKV(); err != nil {
		return nil, err
	}
	return kv.New(
		kv.Config{
			AccountID:   c.AccountID,
			NamespaceID: c.KVNamespace,
			Token:       c.APIToken.Reveal(),
			BaseURL:     c.APIBaseURL,
			Budget:      budget,
			Traffic:     t,
		},
	)
}

func newWorker(c config.Config, t userdb.Traffic) (*doclient.Client, error) {
	if err := c.NeedWorker(); err != nil {
		return nil, err
	}
	return doclient.New(
		doclient.Config{BaseURL: c.WorkerURL, Token: c.Token.Reveal(), AccessClientID: c.AccessClientID,
			AccessClientSecret: c.AccessClientSecret.Reveal(), LocationHint: hintToSend(c), UserAgent: "dbmigrate/" + version(), Traffic: t},
	)
}

// hintToSend is nothing for "none" in words.
func hintToSend(c config.Config) string {
	if c.LocationHint == config.NoLocationHint {
		return ""
	}
	return c.LocationHint
}

// connectReading makes an engine for commands that need only the bucket and the flags.
func (a *app) connectReading(environmentSet bool, shards int) (*migrate.Engine, config.Config, error) {
	c, err := a.loadConfig(environmentSet)
	if err != nil {
		return nil, c, err
	}
	layout, err := userdb.ParseLayout(c.Layout)
	if err != nil {
		return nil, c, err
	}
	files, err := newR2(c, a.traffic)
	if err != nil {
		return nil, c, err
	}
	flags, err := newKV(c, a.apiBudget(shards), a.traffic)
	if err != nil {
		return nil, c, err
	}
	scratch.Sweep(os.TempDir())
	return &migrate.Engine{
		Files:      files,
		WriteProof: new(migrate.WriteProof),
		Scratch:    a.scratch,
		Quarantine: &migrate.Quarantine{Objects: files},
		Flags:      flags,
		SplitFlags: flags.Split(),
		Bucket:     c.Bucket,
		Layout:     layout,
		Limits:     wire.DefaultLimits,
		Checks: checker.NewPool(
			checker.DefaultBudget,
		),
		Concurrency: 1,
		Run:         record.NewRun(time.Now()),
		Version:     version(),
	}, c, nil
}

// purpose is what a command needs of the Durable Objects.
type purpose int

const (
	looksAtObjects   purpose = iota // or brings users back: what a wrong deployment took in must be able to leave it
	fillsObjects                    // and so refuses a deployment with objects that could not serve
	doWithoutObjects                // where they cannot be reached
)

func orWithout(mayBeUnreachable bool) purpose {
	if mayBeUnreachable {
		return doWithoutObjects
	}
	return looksAtObjects
}

// need is what a command needs of a connection.
type need struct {
	environmentSet bool
	concurrency    int
	why            purpose
	shards         int  // how many processes share the account; 0 and 1: this one alone
	splits         bool // the Worker has to know split mode
}

// connection is an engine, and what the Worker said beside.
type connection struct {
	*migrate.Engine
	config    config.Config
	unplaced  error // why a migrate would leave new objects anywhere
	misplaced error // why these are not the bucket's objects
	oldPath   bool  // an old path of the application saves files
	untold    bool  // what the router was told of that is not known
}

// connect makes an engine with everything. The Worker is asked who it is before anything is changed: another
// protocol version, a refused token or a wrong address ends the command here. Only a command that may do
// without the Durable Objects goes on when the Worker does not answer.
func (a *app) connect(ctx context.Context, n need) (*connection, error) {
	e, c, err := a.connectReading(n.environmentSet, n.shards)
	if err != nil {
		return nil, err
	}
	worker, err := newWorker(c, a.traffic)
	if err != nil {
		return nil, err
	}
	a.limiter = fleet.NewLimiter(n.concurrency)
	e.Stores, e.Concurrency, e.Turns = worker, n.concurrency, a.limiter
	a.traffic.Listen(a.limiter)
	hello, err := worker.Hello(ctx)
	if n.why == doWithoutObjects && userdb.KindOf(err) == userdb.Unreachable {
		a.out.Warn("%v: going on without the Durable Objects", err)
		return &connection{Engine: e}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := objectsServe(hello, c.WorkerURL); err != nil {
		if n.why == fillsObjects {
			return nil, err
		}
		a.out.Warn("%v", err)
	}
	misplaced := sameJurisdiction(hello, c)
	if n.why == fillsObjects {
		if misplaced != nil {
			return nil, misplaced
		}
		if text := untold(hello, c); text != "" {
			a.out.Warn("%s", text)
		}
	}
	if err := savesAgree(hello, c.WorkerURL); err != nil {
		if n.why == fillsObjects {
			return nil, err
		}
		a.out.Warn("%v", err)
	}
	if hello.Layout != "" && hello.Layout != e.Layout.String() {
		return nil, usageError(
			"check the layout",
			e.Layout.String(),
			"the Worker's router looks for "+hello.Layout,
			"say --layout "+hello.Layout+": an object that the router does not look at must not be moved",
		)
	}
	if n.splits && !hello.Split {
		return nil, usageError(
			"check the Worker",
			c.WorkerURL,
			"it does not know split mode",
			"deploy a Worker of this version first; nothing was changed",
		)
	}
	e.Limits, e.Marker, e.MarkBytes, e.FenceBytes = hello.Limits, worker, hello.MarkBytes, hello.FenceBytes
	return &connection{
		Engine:    e,
		config:    c,
		unplaced:  unplaced(hello, c),
		misplaced: misplaced,
		oldPath:   hello.SavesFiles != nil && !*hello.SavesFiles,
		untold:    hello.RouterSavesFiles == nil,
	}, nil
}

const fixSaves = "give createRouter and handleAdmin the same value (docs/mount.md), and deploy; nothing was changed"

// savesAgree refuses a Worker with a router that saves files although its admin routes say that it does not,
// or the other way round: the wrong procedure for an old path loses what it acknowledges.
func savesAgree(hello wire.Hello, url string) error {
	if !hello.SavesDiffer() {
		return nil
	}
	return usageError(
		"check the Worker",
		url,
		fmt.Sprintf(
			"createRouter was told savesFiles: %t, and handleAdmin savesFiles: %t",
			*hello.RouterSavesFiles,
			*hello.SavesFiles,
		),
		fixSaves,
	)
}

// probeFlags asks for the first page of flags. A flag is the last thing that a command writes, too late to
// learn that it may not.
func probeFlags(ctx context.Context, flags migrate.Flags) error {
	err := flags.List(ctx, "", func([]userdb.Flag) error { return errFirstPage })
	if errors.Is(err, errFirstPage) {
		return nil
	}
	return err
}

// errFirstPage ends a listing that only wanted to know whether it may list.
var errFirstPage = errors.New("the first page is enough")
