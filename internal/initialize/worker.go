package initialize

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Worker says what the Worker of this project lacks: bindings, the class of objects, and the code that mounts
// the package.
func Worker(in config.Input) (string, error) {
	m, err := config.ReadMount(in)
	if err != nil {
		return "", err
	}
	mark := "//"
	if m.TOML {
		mark = "#"
	}
	var b strings.Builder
	if len(m.Lacks) > 0 {
		where := "wrangler.jsonc"
		if m.Path != "" {
			where = filepath.Base(m.Path)
		}
		if m.Environment != "" && !m.TOML {
			where += ", environment " + m.Environment
		}
		fmt.Fprintf(&b, "%s Add to %s; where a list is there already, add to the list.\n%s\n\n",
			mark, where, strings.Join(bindings(m), "\n"))
	}
	if !m.TellsVersion {
		fmt.Fprintf(&b, "%s Optional: with it dbmigrate doctor sees a gradual deployment of this Worker.\n%s\n\n", mark, versionBinding(m))
	}
	b.WriteString(mountCode(m, config.Given(in)))
	return b.String(), nil
}

// versionBinding is what tells the Worker which deploy it is. No environment inherits it.
func versionBinding(m config.Mount) string {
	if !m.TOML {
		return fmt.Sprintf(`"version_metadata": { "binding": %q },`, config.VersionBinding)
	}
	table := "version_metadata"
	if m.Environment != "" {
		table = "env." + m.Environment + "." + table
	}
	return fmt.Sprintf("[%s]\nbinding = %q", table, config.VersionBinding)
}

// bindings are the lines that the wrangler file lacks.
func bindings(m config.Mount) []string {
	var lines []string
	for _, a := range m.Lacks {
		if m.TOML {
			lines = append(lines, a.TOML())
			continue
		}
		from := 0
		if a.Path[0] == "env" {
			from = 2
		}
		lines = append(lines, a.Member(from)+",")
	}
	return lines
}

// mountCode is what the Worker's module needs: docs/mount.md shows the same.
func mountCode(m config.Mount, given config.Values) string {
	return fmt.Sprintf(`// Add to the module of the Worker. The secret: wrangler secret put DBMIGRATE_TOKEN
// For wrangler dev: DBMIGRATE_TOKEN=... in .dev.vars, which belongs into .gitignore
import { createRouter, handleAdmin, userDatabase } from "@dbmigrate/worker";
%s
// In fetch(request, env):
const mounted = { %s };
const router = createRouter({ ...mounted, flags: env.%s });
const admin = await handleAdmin(request, { ...mounted, env });
if (admin !== null) return admin;
const db = userDatabase(router, user); // a D1Database for one user
`, exported(m, "@dbmigrate/worker"), strings.Join(mountedWith(m, given, true), ", "), m.Flags)
}

// exported are the lines about the class of users' objects. A subclass is the application's, exported there.
func exported(m config.Mount, module string) string {
	if m.Subclassed() {
		return fmt.Sprintf("// %s, which %s binds, has to extend UserDataStore. The module of the Worker exports it.\n", m.Class, m.Store)
	}
	return fmt.Sprintf("export { UserDataStore } from %q;\n", module)
}

// mountedWith are the options that router and admin routes share.
func mountedWith(m config.Mount, given config.Values, typed bool) []string {
	options := []string{
		"bucket: env." + m.Bucket,
		"store: env." + m.Store,
		fmt.Sprintf("layout: %q", cmp.Or(given.Layout, userdb.DefaultLayout)),
	}
	if hint := given.LocationHint; hint != "" && hint != config.NoLocationHint {
		option := fmt.Sprintf("locationHint: () => %q", hint)
		if typed {
			option += " as const"
		}
		options = append(options, option)
	}
	return options
}

// Written is what WriteWorker did.
type Written struct {
	// Module is the file with the code that mounts the package. Made is false where it was there already.
	Module string
	Made   bool
	// Config is the wrangler file, and Added how many lists of it have grown.
	Config string
	Added  int
	// Code is what people have to add themselves to the module of the Worker.
	Code string
}

// WriteWorker adds to the wrangler file what it lacks, and puts the code that mounts the package into a
// module of its own, beside that of the Worker. The Worker's own module is left to people. Only force
// replaces a module that is there and says something else.
func WriteWorker(in config.Input, force bool) (Written, error) {
	m, err := config.ReadMount(in)
	if err != nil {
		return Written{}, err
	}
	module, err := moduleOf(m)
	if err != nil {
		return Written{}, err
	}
	amendment, err := config.Amend(m.Path, m.Lacks)
	if err != nil {
		return Written{}, err
	}
	made, err := module.write(moduleCode(m, config.Given(in), module.typed), force)
	if err != nil {
		return Written{}, err
	}
	w := Written{
		Module: module.path, Made: made, Config: m.Path, Added: len(m.Lacks), Code: callCode(m, module.name),
	}
	return w, amendment.Write()
}

// moduleFile is where the code goes.
type moduleFile struct {
	path  string
	name  string // as other modules import it
	typed bool
}

// moduleOf finds the place beside the Worker's module.
func moduleOf(m config.Mount) (moduleFile, error) {
	const byHand = "dbmigrate init --worker prints what to add"
	switch {
	case m.Path == "":
		return moduleFile{}, userdb.UsageError("write", "the Worker's configuration",
			"there is no wrangler file here or above: nothing was written", "name it with --config")
	case m.NeedsBucket:
		return moduleFile{}, userdb.UsageError("write", m.Path,
			"it has no bucket, and nobody says which one has the databases: nothing was written", "pass --bucket")
	case m.Main == "":
		return moduleFile{}, userdb.UsageError("write", m.Path,
			`it names no module of the Worker ("main"): nothing was written`, byHand)
	}
	main := filepath.Join(filepath.Dir(m.Path), filepath.FromSlash(m.Main))
	if _, err := os.Stat(main); err != nil {
		return moduleFile{}, userdb.UsageError("write", m.Path,
			fmt.Sprintf("its module %s cannot be read, or a build makes it: nothing was written", m.Main), byHand)
	}
	file := moduleFile{name: "./dbmigrate"}
	switch ext := filepath.Ext(main); ext {
	case ".ts", ".tsx", ".mts":
		file.typed = true
		file.path = filepath.Join(filepath.Dir(main), "dbmigrate.ts")
	case ".js", ".jsx", ".mjs":
		file.name += ".js"
		file.path = filepath.Join(filepath.Dir(main), "dbmigrate.js")
	default:
		return moduleFile{}, userdb.UsageError("write", m.Path,
			fmt.Sprintf("its module %s is neither TypeScript nor JavaScript: nothing was written", m.Main), byHand)
	}
	return file, nil
}

// write says whether it made the file.
func (f moduleFile) write(code string, force bool) (bool, error) {
	old, err := os.ReadFile(f.path)
	switch {
	case err == nil && string(old) == code:
		return false, nil
	case err == nil && !force:
		return false, userdb.UsageError("write", f.path, "it is there already, and says something else: nothing was written",
			"look at it, or replace it with --force")
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return false, userdb.UsageError("read", f.path, err.Error(), "")
	}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if err == nil {
		mode = os.O_WRONLY | os.O_TRUNC
	}
	to, err := os.OpenFile(f.path, mode, 0o644)
	if err == nil {
		_, err = to.WriteString(code)
		err = errors.Join(err, to.Close())
	}
	if err != nil {
		return false, userdb.UsageError("write", f.path, err.Error(), "")
	}
	return true, nil
}

// moduleCode is the whole module.
func moduleCode(m config.Mount, given config.Values, typed bool) string {
	types, signature := "", "request, env"
	if typed {
		types, signature = ", type Router", "request: Request, env: Env"
	}
	result := ""
	if typed {
		result = ": Promise<Response | Router>"
	}
	return fmt.Sprintf(`// Mounts the package of dbmigrate. dbmigrate init --worker --write made this file; it is yours now.
// The secret of the admin routes: wrangler secret put DBMIGRATE_TOKEN
// For wrangler dev: DBMIGRATE_TOKEN=... in .dev.vars, which belongs into .gitignore
import { createRouter, handleAdmin%s } from "@dbmigrate/worker";

export { UserDataStore } from "@dbmigrate/worker";

/** The answer to dbmigrate's requests; for any other request the router of users' databases. */
export async function mount(%s)%s {
  const mounted = {
    %s,
  };
  const router = createRouter({ ...mounted, flags: env.%s });
  return (await handleAdmin(request, { ...mounted, env })) ?? router;
}
`, types, signature, result, strings.Join(mountedWith(m, given, typed), ",\n    "), m.Flags)
}

// callCode is what the Worker's own module needs then.
func callCode(m config.Mount, module string) string {
	return fmt.Sprintf(`// Add to the module of the Worker, and run wrangler types:
import { userDatabase } from "@dbmigrate/worker";
import { mount } from %q;
%s
// In fetch(request, env):
const router = await mount(request, env);
if (router instanceof Response) return router; // what dbmigrate asks
const db = userDatabase(router, user); // a D1Database for one user
`, module, exported(m, module))
}
