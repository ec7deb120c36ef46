// Package dev runs the operator's own Worker on Cloudflare's local runtime, and a command beside it that
// finds the local R2, KV and Worker: the rehearsal of a migration on one's own code.
package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/escape"
	"github.com/dbmigrate/dbmigrate/internal/localruntime"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// token is the operator's, for the local Worker only, unless a variable says another one.
const (
	tokenName = "DBMIGRATE_TOKEN"
	token     = "local-admin-token"
)

// Options say how to run it.
type Options struct {
	PersistDir string            // state folder to keep; "" is a temporary one
	Vars       map[string]string // of the Worker, besides those of its configuration and .dev.vars
	Log        io.Writer         // receives wrangler's output; nil: nowhere
	Errors     io.Writer         // receives, where there is no Log, what wrangler said before it could not start
}

// adminToken is what both the Worker and the command get: with two they could not talk.
func (o Options) adminToken() string { return cmp.Or(o.Vars[tokenName], token) }

// Run starts the Worker of the wrangler configuration that in names, runs the command beside it, and ends
// both. It returns the command's exit code.
func Run(ctx context.Context, in config.Input, command []string, options Options) (code int, err error) {
	p, err := open(in)
	if err != nil {
		return 0, err
	}
	runtime, cleanUp, err := p.start(ctx, options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, runtime.Stop(), cleanUp()) }()
	if err := p.probe(ctx, runtime); err != nil {
		return 0, err
	}
	return localruntime.RunCommand(command, p.environ(os.Environ(), runtime, options))
}

// project is what of the wrangler configuration matters here.
type project struct {
	path, environment string
	account           string
	bucket, namespace string
}

func open(in config.Input) (*project, error) {
	found, err := config.OpenProject(in)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, userdb.UsageError(
			"find the Worker", "", "there is no wrangler configuration here or above", "name it with --config")
	}
	offer, environment, err := found.Choose(in)
	if err != nil {
		return nil, err
	}
	given := config.Given(in)
	p := &project{
		path:        found.Path,
		environment: environment,
		account:     cmp.Or(given.AccountID, offer.AccountID, "local"),
	}
	if p.bucket, err = choose("R2 bucket", "--bucket", given.Bucket, offer.Buckets); err != nil {
		return nil, err
	}
	p.namespace, err = choose("KV namespace", "--kv-namespace", given.KVNamespace, offer.Namespaces)
	p.namespace = cmp.Or(p.namespace, localNamespace)
	return p, err
}

// choose is the binding that was named, or the only one.
func choose(what, flag, given string, offered []config.Choice) (string, error) {
	var names []string
	for _, c := range offered {
		if given == c.Value && given != "" {
			return given, nil
		}
		names = append(names, fmt.Sprintf("%s (%s)", c.Value, c.Binding))
	}
	switch {
	case len(offered) == 0:
		return "", userdb.UsageError("choose "+what, "", "the wrangler configuration binds none", "see docs/mount.md")
	case given != "":
		return "", userdb.UsageError(
			"choose "+what, given, "the wrangler configuration does not bind it, but "+strings.Join(names, ", "), "")
	case len(offered) > 1:
		return "", userdb.UsageError(
			"choose "+what, "", "there are several: "+strings.Join(names, ", "), "choose with "+flag)
	}
	return offered[0].Value, nil
}

// start runs wrangler in the project's folder, on a configuration that lies beside the operator's own: paths
// in it mean the same.
func (p *project) start(ctx context.Context, o Options) (*localruntime.Runtime, func() error, error) {
	tools, err := localruntime.FindTools(filepath.Dir(p.path), "run `npm install --save-dev wrangler` in the project")
	if err != nil {
		return nil, nil, userdb.UsageError("find wrangler", "", err.Error(), "")
	}
	text, err := localConfig(p.path, p.environment)
	if err != nil {
		return nil, nil, err
	}
	file, err := writeBeside(p.path, text)
	if err != nil {
		return nil, nil, err
	}
	state, temporary, err := stateFolder(o.PersistDir)
	temporary = append(temporary, file)
	cleanUp := func() (err error) {
		for _, path := range temporary {
			err = errors.Join(err, os.RemoveAll(path))
		}
		return err
	}
	if err != nil {
		return nil, nil, errors.Join(err, cleanUp())
	}
	vars := map[string]string{}
	maps.Copy(vars, o.Vars)
	vars[tokenName] = o.adminToken()
	runtime, err := localruntime.Start(ctx, localruntime.Options{
		Tools:       tools,
		Config:      file,
		Environment: p.environment,
		PersistDir:  state,
		Port:        "0",
		Vars:        vars,
		Temporary:   temporary,
		Log:         o.Log,
	})
	if err != nil {
		return nil, nil, errors.Join(o.told(err), cleanUp())
	}
	return runtime, cleanUp, nil
}

// told writes wrangler's output line by line: an error is one line for people, and its breaks are escaped.
func (o Options) told(err error) error {
	var failed *localruntime.StartError
	if !errors.As(err, &failed) {
		return err
	}
	if o.Log == nil && o.Errors != nil {
		for line := range strings.Lines(failed.Output) {
			_, _ = fmt.Fprintln(o.Errors, escape.Text(strings.TrimRight(line, "\r\n")))
		}
	}
	return fmt.Errorf("%w: see what it says above", failed.Cause)
}

func writeBeside(path string, text []byte) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".dbmigrate-dev-*.json")
	if err != nil {
		return "", fmt.Errorf("write the local configuration: %w", err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write the local configuration: %w", err), os.Remove(file.Name()))
	}
	return file.Name(), nil
}

func stateFolder(kept string) (dir string, temporary []string, err error) {
	if kept == "" {
		dir, err = os.MkdirTemp("", "dbmigrate-dev-")
		return dir, []string{dir}, err
	}
	if dir, err = filepath.Abs(kept); err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	return dir, nil, err
}

// probe finds a wrangler that is too old to serve R2 and KV to anybody but the Worker.
func (p *project) probe(ctx context.Context, runtime *localruntime.Runtime) error {
	files, err := r2.New(r2.Config{
		Endpoint: runtime.S3Endpoint, Bucket: p.bucket, AccessKeyID: accessKey, SecretAccessKey: secretKey,
	})
	if err == nil {
		_, err = files.Head(ctx, "dbmigrate-dev-probe")
	}
	if err != nil && userdb.KindOf(err) != userdb.NotFound {
		return tooOld("R2 over S3", err)
	}
	flags, err := kv.New(kv.Config{
		AccountID: p.account, NamespaceID: p.namespace, Token: "local", BaseURL: runtime.KVBaseURL,
	})
	if err == nil {
		_, err = flags.Get(ctx, []userdb.UserID{"dbmigrate-dev-probe"})
	}
	if err != nil {
		return tooOld("KV over the API", err)
	}
	return nil
}

func tooOld(what string, err error) error {
	return fmt.Errorf("the project's wrangler does not serve %s: install wrangler 4.164 or later: %w", what, err)
}

// environ is an environment in which dbmigrate, and S3 clients, find the local runtime and nothing else.
func (p *project) environ(base []string, runtime *localruntime.Runtime, o Options) []string {
	set := []string{
		"CLOUDFLARE_ACCOUNT_ID=" + p.account,
		"CLOUDFLARE_API_TOKEN=local",
		"CLOUDFLARE_API_BASE_URL=" + runtime.KVBaseURL,
		"AWS_ACCESS_KEY_ID=" + accessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretKey,
		"AWS_SESSION_TOKEN=",
		"AWS_ENDPOINT_URL_S3=" + runtime.S3Endpoint,
		"DBMIGRATE_BUCKET=" + p.bucket,
		"DBMIGRATE_KV_NAMESPACE=" + p.namespace,
		"DBMIGRATE_WORKER_URL=" + runtime.URL,
		tokenName + "=" + o.adminToken(),
		"DBMIGRATE_LOCATION_HINT=none",
	}
	if p.environment != "" {
		set = append(set, "CLOUDFLARE_ENV="+p.environment)
	}
	return append(base, set...)
}
