// Package stack runs Cloudflare's local runtime (`wrangler dev`: the Worker with its Durable Objects, the R2
// bucket over S3, the KV namespace over the API's shape) for tests, the demo and benchmarks. One process
// group, one state folder, nothing left behind.
package stack

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/internal/localruntime"
)

// What worker/wrangler.jsonc and testdata/wrangler.jsonc both declare.
const (
	bucket      = "user-data"
	namespaceID = "dbmigrate-flags"
	accessKey   = "local-key"
	secretKey   = "local-secret"
)

// The tokens of the local Worker, unless Options.Vars says otherwise. They open nothing but a process on this
// machine.
const (
	defaultAdminToken = "local-admin-token"
	defaultAppToken   = "local-app-token"
)

// Options say what to start. The zero value starts worker/ of this repository on an empty state.
type Options struct {
	WorkerDir  string            // folder with node_modules and wrangler.jsonc; default: worker/ of the enclosing Go module
	ConfigPath string            // another wrangler configuration; its Worker runs with WorkerDir's node_modules
	PersistDir string            // state folder, kept after Stop; default: a temporary one, removed by Stop
	Vars       map[string]string // the Worker's variables; DBMIGRATE_TOKEN and APP_TOKEN get defaults
	Log        io.Writer         // receives wrangler's output; default: nowhere (an error quotes its end)
}

// Stack is a running local Cloudflare.
type Stack struct {
	URL         string // of the Worker, without a final slash
	S3Endpoint  string // for path-style S3 clients
	KVBaseURL   string // for Cloudflare API clients; its paths have no /accounts/{id}
	Bucket      string
	NamespaceID string
	AccessKey   string
	SecretKey   string
	AdminToken  string
	AppToken    string
	PersistDir  string

	options   Options
	tools     localruntime.Tools
	temporary bool // PersistDir is ours to remove
	runtime   *localruntime.Runtime
}

// Start runs the local runtime and returns when it answers. ctx bounds the start only; end the stack with
// Stop. When this process dies without calling Stop, a watchdog ends the runtime.
func Start(ctx context.Context, options Options) (*Stack, error) {
	tools, err := findToolchain(options.WorkerDir)
	if err != nil {
		return nil, err
	}
	s := &Stack{
		Bucket: bucket, NamespaceID: namespaceID, AccessKey: accessKey, SecretKey: secretKey,
		options: options, tools: tools,
	}
	if s.options.ConfigPath, err = absolute(options.ConfigPath); err != nil {
		return nil, err
	}
	if s.PersistDir, err = absolute(options.PersistDir); err != nil {
		return nil, err
	}
	s.options.Vars = withDefaultTokens(options.Vars)
	s.AdminToken, s.AppToken = s.options.Vars["DBMIGRATE_TOKEN"], s.options.Vars["APP_TOKEN"]
	if err := s.preparePersistDir(); err != nil {
		return nil, err
	}
	if err := s.launch(ctx, "0"); err != nil {
		return nil, joinCleanup(err, s.removeTemporary())
	}
	return s, nil
}

// Env lists, as NAME=value, the variables from which dbmigrate reads its configuration.
func (s *Stack) Env() []string {
	return []string{
		"CLOUDFLARE_ACCOUNT_ID=local",
		"CLOUDFLARE_API_TOKEN=local",
		"CLOUDFLARE_API_BASE_URL=" + s.KVBaseURL,
		"AWS_ACCESS_KEY_ID=" + s.AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + s.SecretKey,
		"AWS_ENDPOINT_URL_S3=" + s.S3Endpoint,
		"DBMIGRATE_BUCKET=" + s.Bucket,
		"DBMIGRATE_KV_NAMESPACE=" + s.NamespaceID,
		"DBMIGRATE_WORKER_URL=" + s.URL,
		"DBMIGRATE_TOKEN=" + s.AdminToken,
		"DBMIGRATE_LOCATION_HINT=none",
		"APP_TOKEN=" + s.AppToken,
	}
}

// Restart ends the runtime and starts it again on the same port and the same state: what only memory held is
// gone.
func (s *Stack) Restart(ctx context.Context) error {
	if err := s.runtime.Stop(); err != nil {
		return err
	}
	return s.launch(ctx, s.runtime.Port())
}

// Kill ends the runtime as kill -9 does, wherever it is at that moment. Restart starts it again.
func (s *Stack) Kill() error { return s.runtime.Kill() }

// Stop ends every process of the stack and removes a temporary state folder. A second call does nothing.
func (s *Stack) Stop() error {
	return joinCleanup(s.runtime.Stop(), s.removeTemporary())
}

// RunTests is the body of a TestMain: one stack for the whole package, stopped before the exit code is
// returned. A fuzz target gets none: each of its many processes would start one.
//
//	func TestMain(m *testing.M) { os.Exit(stack.RunTests(m, stack.Options{}, func(s *stack.Stack) { shared = s })) }
func RunTests(m interface{ Run() int }, options Options, use func(*Stack)) (code int) {
	if fuzzing() {
		return m.Run()
	}
	s, err := Start(context.Background(), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}()
	use(s)
	return m.Run()
}

func fuzzing() bool {
	flag.Parse()
	target := flag.Lookup("test.fuzz")
	return target != nil && target.Value.String() != ""
}

func (s *Stack) preparePersistDir() error {
	if s.PersistDir != "" {
		return os.MkdirAll(s.PersistDir, 0o755)
	}
	dir, err := os.MkdirTemp("", "dbmigrate-stack-")
	if err != nil {
		return fmt.Errorf("prepare state folder: %w", err)
	}
	s.PersistDir, s.temporary = dir, true
	return nil
}

func (s *Stack) removeTemporary() error {
	if s.temporary {
		return os.RemoveAll(s.PersistDir)
	}
	return nil
}

func (s *Stack) launch(ctx context.Context, port string) error {
	var temporary []string
	if s.temporary {
		temporary = []string{s.PersistDir}
	}
	runtime, err := localruntime.Start(ctx, localruntime.Options{
		Tools:      s.tools,
		Config:     s.options.ConfigPath,
		PersistDir: s.PersistDir,
		Port:       port,
		Vars:       s.options.Vars,
		Temporary:  temporary,
		Log:        s.options.Log,
	})
	if err != nil {
		return err
	}
	s.runtime, s.URL, s.S3Endpoint, s.KVBaseURL = runtime, runtime.URL, runtime.S3Endpoint, runtime.KVBaseURL
	return nil
}

// absolute makes a path independent of the working folder, because wrangler runs in another one. Empty stays
// empty.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

func withDefaultTokens(vars map[string]string) map[string]string {
	all := map[string]string{"DBMIGRATE_TOKEN": defaultAdminToken, "APP_TOKEN": defaultAppToken}
	for name, value := range vars {
		all[name] = value
	}
	return all
}

func joinCleanup(err, cleanup error) error {
	if err == nil {
		return cleanup
	}
	if cleanup != nil {
		return fmt.Errorf("%w; then cleaning up: %v", err, cleanup)
	}
	return err
}
