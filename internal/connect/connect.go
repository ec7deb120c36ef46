// Package connect joins the engine with its clients, as configuration and flags say.
package connect

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/breaker"
	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/httptrace"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/sandbox"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Source is what a command was told of where everything is.
type Source struct {
	Flags          config.Values
	File           string
	Environment    string
	EnvironmentSet bool
	Profile        string
	APIBudget      int // of the Cloudflare API, for all shards together
	Getenv         func(string) string
	Traffic        *fleet.Traffic
	Tap            *httptrace.Tap // watches every exchange; nil: nothing does
	Scratch        *scratch.Dir
	Version        string
	Warn           func(string, ...any)
}

// Config resolves flags, environment, dbmigrate.toml and wrangler file.
func (s *Source) Config() (config.Config, error) {
	in, err := s.Input()
	if err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(in)
	if s.Tap != nil {
		c.Around = s.Tap.Around
	}
	return c, err
}

// Input is where configuration comes from.
func (s *Source) Input() (config.Input, error) {
	dir, err := os.Getwd()
	if err != nil {
		return config.Input{}, userdb.UsageError("find the working folder", "", err.Error(), "")
	}
	return config.Input{
		Flags:          s.Flags,
		File:           s.File,
		Environment:    s.Environment,
		EnvironmentSet: s.EnvironmentSet,
		Profile:        s.Profile,
		Dir:            dir,
		Getenv:         s.Getenv,
	}, nil
}

// wayOut goes on where something is missing.
const wayOut = "; `dbmigrate init` asks for what is no secret, `dbmigrate doctor` checks all of it, `dbmigrate help connection` explains it"

// need says everything that is missing, and what helps.
func need(c config.Config, parts ...config.Part) error {
	err := c.Need(parts...)
	var e *userdb.Error
	if !errors.As(err, &e) {
		return err
	}
	helped := *e
	helped.Hint += wayOut
	return &helped
}

// R2 is the bucket.
func R2(c config.Config, t userdb.Traffic) (*r2.Client, error) {
	if err := c.Need(config.R2); err != nil {
		return nil, err
	}
	return r2.New(
		r2.Config{
			Endpoint:        c.R2Endpoint,
			Bucket:          c.Bucket,
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: c.SecretKey.Reveal(),
			SessionToken:    c.SessionToken.Reveal(),
			Around:          c.AroundOf(userdb.ServiceR2),
			Traffic:         t,
		},
	)
}

// KV are the flags.
func KV(c config.Config, budget int, t userdb.Traffic) (*kv.Client, error) {
	if err := c.Need(config.KV); err != nil {
		return nil, err
	}
	return kv.New(
		kv.Config{
			AccountID:   c.AccountID,
			NamespaceID: c.KVNamespace,
			Token:       c.APIToken.Reveal(),
			BaseURL:     c.APIBaseURL,
			Budget:      budget,
			Around:      c.AroundOf(userdb.ServiceKV),
			Traffic:     t,
		},
	)
}

// Worker is the Worker's admin routes.
func Worker(c config.Config, version string, t userdb.Traffic) (*doclient.Client, error) {
	if err := c.Need(config.Worker); err != nil {
		return nil, err
	}
	return doclient.New(
		doclient.Config{BaseURL: c.WorkerURL, Token: c.Token.Reveal(), AccessClientID: c.AccessClientID,
			AccessClientSecret: c.AccessClientSecret.Reveal(), LocationHint: hintToSend(c), UserAgent: "dbmigrate/" + version, Traffic: t, Around: c.AroundOf(userdb.ServiceWorker)},
	)
}

// hintToSend is nothing for "none" in words.
func hintToSend(c config.Config) string {
	if c.LocationHint == config.NoLocationHint {
		return ""
	}
	return c.LocationHint
}

// Reading makes an engine for commands that need only the bucket and the flags.
func (s *Source) Reading(shards int) (*migrate.Engine, config.Config, error) {
	return s.reading(shards, config.R2, config.KV)
}

// reading names whatever of these parts is missing.
func (s *Source) reading(shards int, parts ...config.Part) (*migrate.Engine, config.Config, error) {
	c, err := s.Config()
	if err != nil {
		return nil, c, err
	}
	layout, err := userdb.ParseLayout(c.Layout)
	if err != nil {
		return nil, c, err
	}
	if err := need(c, parts...); err != nil {
		return nil, c, err
	}
	files, err := R2(c, s.Traffic)
	if err != nil {
		return nil, c, err
	}
	flags, err := KV(c, s.budget(shards), s.Traffic)
	if err != nil {
		return nil, c, err
	}
	scratch.Sweep(os.TempDir())
	return &migrate.Engine{
		Files:      files,
		WriteProof: new(migrate.WriteProof),
		Scratch:    s.Scratch,
		Quarantine: &quarantine.List{Objects: files},
		Flags:      flags,
		SplitFlags: flags.Split(),
		Bucket:     c.Bucket,
		Layout:     layout,
		Limits:     wire.DefaultLimits,
		Checks: sandbox.NewPool(
			sandbox.DefaultBudget,
		),
		Concurrency: 1,
		Run:         record.NewRun(time.Now()),
		Version:     s.Version,
	}, c, nil
}

// Purpose is what a command needs of the Durable Objects.
type Purpose int

// The purposes.
const (
	LooksAtObjects   Purpose = iota // or brings users back: what a wrong deployment took in must be able to leave it
	FillsObjects                    // and so refuses a deployment with objects that could not serve
	DoWithoutObjects                // where they cannot be reached
)

// OrWithout is for commands that look, and may have to do without.
func OrWithout(mayBeUnreachable bool) Purpose {
	if mayBeUnreachable {
		return DoWithoutObjects
	}
	return LooksAtObjects
}

// Need is what a command needs of a connection.
type Need struct {
	Concurrency int
	Why         Purpose
	Shards      int  // how many processes share the account; 0 and 1: this one alone
	Splits      bool // the Worker has to know split mode
	Moves       bool // users will be moved, and StillTheWorker looks before
	// Meanwhile begins what else can be asked for while the Worker answers; it must not wait. nil: nothing.
	Meanwhile func(*migrate.Engine, config.Config)
}

// Connection is an engine, and what the Worker said beside.
type Connection struct {
	*migrate.Engine
	Limiter   *concurrency.Limiter
	worker    *doclient.Client
	greeted   preconditions.WorkerVersion // when the Worker was greeted
	beside    func() (map[preconditions.WorkerVersion]int, error)
	without   bool // the Worker did not answer, and the command does without
	Config    config.Config
	Unplaced  error // why a migrate would leave new objects anywhere
	Misplaced error // why these are not the bucket's objects
	Mounted   preconditions.Mounted

	rules []preconditions.Asked
}

// looksAtOnce bounds how many users are looked at side by side where no limiter hears what the platform
// bears.
const looksAtOnce = 16

// All makes an engine with everything. The Worker is asked who it is before anything is changed: another
// protocol version, a refused token or a wrong address ends the command here. Only a command that may do
// without the Durable Objects goes on when the Worker does not answer.
func (s *Source) All(ctx context.Context, n Need) (*Connection, error) {
	e, c, err := s.reading(n.Shards, config.R2, config.KV, config.Worker)
	if err != nil {
		return nil, err
	}
	worker, err := Worker(c, s.Version, s.Traffic)
	if err != nil {
		return nil, err
	}
	limiter := concurrency.NewLimiter(n.Concurrency)
	e.Stores, e.Concurrency, e.Turns = worker, min(n.Concurrency, looksAtOnce), limiter
	s.Traffic.Listen(limiter)
	answer := parallel.Ahead(func() (wire.Hello, error) { return worker.Hello(ctx) })
	beside := asksAgain(ctx, worker, n)
	var rules []preconditions.Asked
	if n.Why == FillsObjects {
		rules = append(
			rules,
			preconditions.Lifecycle(e.Files).Ask(ctx),
			preconditions.Locks(preconditions.LockReader(c)).Ask(ctx),
		)
	}
	if n.Meanwhile != nil {
		n.Meanwhile(e, c)
	}
	hello, err := answer()
	if n.Why == DoWithoutObjects && userdb.KindOf(err) == userdb.Unreachable {
		s.Warn("%v: going on without the Durable Objects", err)
		return &Connection{Engine: e, Limiter: limiter, without: true}, nil
	}
	if err != nil {
		return nil, err
	}
	misplaced, err := s.fits(hello, c, n, e.Layout.String())
	if err != nil {
		return nil, err
	}
	e.Limits, e.Marker, e.MarkBytes, e.FenceBytes = hello.Limits, worker, hello.MarkBytes, hello.FenceBytes
	e.TellsNames = hello.Names
	e.Composites, e.Offered = worker, hello.Composites
	e.Snapshots, e.SnapshotBytes = worker, hello.SnapshotBytes
	return &Connection{
		Engine:    e,
		Limiter:   limiter,
		worker:    worker,
		greeted:   preconditions.VersionOf(hello),
		beside:    beside,
		Config:    c,
		Unplaced:  preconditions.Unplaced(hello, c),
		Misplaced: misplaced,
		Mounted: preconditions.Mounted{
			OldPath: hello.SavesFiles != nil && !*hello.SavesFiles,
			Untold:  hello.RouterSavesFiles == nil,
		},
		rules: rules,
	}, nil
}

// fits says whether this Worker is one for the command, and warns where it is one only for looking. misplaced
// is why its objects are not the bucket's.
func (s *Source) fits(hello wire.Hello, c config.Config, n Need, layout string) (misplaced, err error) {
	if err := preconditions.ObjectsServe(hello, c.WorkerURL); err != nil {
		if n.Why == FillsObjects {
			return nil, err
		}
		s.Warn("%v", err)
	}
	misplaced = preconditions.SameJurisdiction(hello, c)
	if n.Why == FillsObjects {
		if misplaced != nil {
			return nil, misplaced
		}
		if text := preconditions.Untold(hello, c); text != "" {
			s.Warn("%s", text)
		}
	}
	if err := preconditions.SavesAgree(hello, c.WorkerURL); err != nil {
		if n.Why == FillsObjects {
			return nil, err
		}
		s.Warn("%v", err)
	}
	if hello.Layout != "" && hello.Layout != layout {
		return nil, userdb.UsageError(
			"check the layout",
			layout,
			"the Worker's router looks for "+hello.Layout,
			"pass --layout "+hello.Layout+": an object that the router does not look at must not be moved",
		)
	}
	if n.Splits {
		if err := preconditions.ServesSplit(hello, c.WorkerURL); err != nil {
			return nil, err
		}
	}
	return misplaced, nil
}

// budget is this process's part of the calls. Without --api-budget and --shard the client decides, which
// has no budget for a local runtime.
func (s *Source) budget(shards int) int {
	if shards < 2 && s.APIBudget == kv.DefaultBudget {
		return 0
	}
	return max(kv.MinBudget, s.APIBudget/max(1, shards))
}

// Probes ask the services that every user needs; there are none where a command does without the Worker.
func (c *Connection) Probes() []breaker.Probe {
	if c.without {
		return nil
	}
	probes := []breaker.Probe{{Service: userdb.ServiceWorker, Ask: func(ctx context.Context) error {
		_, err := c.worker.Hello(ctx)
		return err
	}}}
	if files, ok := c.Files.(*r2.Client); ok {
		probes = append(probes, breaker.Probe{Service: userdb.ServiceR2, Ask: func(ctx context.Context) error {
			_, _, _, err := files.First(ctx, "")
			return err
		}})
	}
	return probes
}

// hellosBefore is how often the Worker is asked before a wave, or a run without waves: old code that answers
// one request in three is seen in nine of ten.
const hellosBefore = 6

// asksAgain asks while the Worker is greeted, so that nobody waits for it.
func asksAgain(
	ctx context.Context,
	worker *doclient.Client,
	n Need,
) func() (map[preconditions.WorkerVersion]int, error) {
	if !n.Moves {
		return func() (map[preconditions.WorkerVersion]int, error) { return nil, nil }
	}
	return parallel.Ahead(func() (map[preconditions.WorkerVersion]int, error) {
		return preconditions.Versions(ctx, worker.HelloAgain, hellosBefore-1, hellosBefore)
	})
}

// StillTheWorker asks the Worker for its version before each wave. It stops where it is another one than at
// the start. In a gradual deployment old code answers some requests. The first wave waits for what was asked
// beside the greeting.
func (c *Connection) StillTheWorker(
	before func(context.Context, []inspect.Found) error,
) func(context.Context, []inspect.Found) error {
	first := true
	return func(ctx context.Context, users []inspect.Found) error {
		ask := c.beside
		if !first { // each wave has a context of its own
			ask = func() (map[preconditions.WorkerVersion]int, error) {
				return preconditions.Versions(ctx, c.worker.HelloAgain, hellosBefore, hellosBefore)
			}
		}
		first = false
		found, err := ask()
		if err == nil {
			err = preconditions.SameVersion(found, c.greeted)
		}
		if err != nil {
			return err
		}
		if before == nil {
			return nil
		}
		return before(ctx, users)
	}
}

// MayMove refuses users before anything is begun, for a rule of the bucket. Where creates is true, Durable
// Objects may be created for them.
func (c *Connection) MayMove(
	users []inspect.Found,
	creates bool,
	warn func(string, ...any),
) error {
	if c.Unplaced != nil && creates && preconditions.CreatesObjects(users) {
		return c.Unplaced
	}
	for _, asked := range c.rules {
		if err := asked.Refuse(c.Engine, users, warn); err != nil {
			return err
		}
	}
	return nil
}

// Worker is the client of the admin routes.
func (c *Connection) Worker() *doclient.Client { return c.worker }
