package setup

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
)

// Worker says what the Worker of this project lacks: bindings, the class of objects, and the code that mounts
// the package.
func Worker(in config.Input) (string, error) {
	m, err := config.ReadMount(in)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if missing := bindings(m, config.Given(in)); len(missing) > 0 {
		where := "wrangler.jsonc"
		if m.Path != "" {
			where = filepath.Base(m.Path)
		}
		mark := "//"
		if m.TOML {
			mark = "#"
		}
		fmt.Fprintf(&b, "%s Add to %s; where a list is there already, add to the list.\n%s\n\n",
			mark, where, strings.Join(missing, "\n"))
	}
	b.WriteString(mountCode(m, config.Given(in)))
	return b.String(), nil
}

// bindings are the lines that the wrangler file lacks.
func bindings(m config.Mount, given config.Values) []string {
	var lines []string
	add := func(missing bool, json, toml string) {
		if !missing {
			return
		}
		if m.TOML {
			json = toml
		}
		lines = append(lines, json)
	}
	bucket := cmp.Or(given.Bucket, "user-data")
	flags := cmp.Or(given.KVNamespace, "<id: wrangler kv namespace create flags>")
	add(!m.Node, `"compatibility_flags": ["nodejs_compat"],`, `compatibility_flags = ["nodejs_compat"]`)
	add(m.Bucket == "",
		fmt.Sprintf(`"r2_buckets": [{ "binding": "BUCKET", "bucket_name": %q }],`, bucket),
		fmt.Sprintf("[[r2_buckets]]\nbinding = \"BUCKET\"\nbucket_name = %q", bucket))
	add(m.Flags == "",
		fmt.Sprintf(`"kv_namespaces": [{ "binding": "FLAGS", "id": %q }],`, flags),
		fmt.Sprintf("[[kv_namespaces]]\nbinding = \"FLAGS\"\nid = %q", flags))
	add(m.Store == "",
		`"durable_objects": { "bindings": [{ "name": "USER_DATA", "class_name": "UserDataStore" }] },`,
		"[[durable_objects.bindings]]\nname = \"USER_DATA\"\nclass_name = \"UserDataStore\"")
	add(m.Store == "",
		fmt.Sprintf(`"migrations": [{ "tag": %q, "new_sqlite_classes": ["UserDataStore"] }],`, m.NextTag),
		fmt.Sprintf("[[migrations]]\ntag = %q\nnew_sqlite_classes = [\"UserDataStore\"]", m.NextTag))
	return lines
}

// mountCode is what the Worker's module needs: docs/mount.md shows the same.
func mountCode(m config.Mount, given config.Values) string {
	more := ""
	if given.Layout != "" {
		more += fmt.Sprintf(", layout: %q", given.Layout)
	}
	if given.LocationHint != "" && given.LocationHint != config.NoLocationHint {
		more += fmt.Sprintf(", locationHint: () => %q as const", given.LocationHint)
	}
	return fmt.Sprintf(`// Add to the module of the Worker. The secret: wrangler secret put DBMIGRATE_TOKEN
import { createRouter, handleAdmin, userDatabase } from "@dbmigrate/worker";
export { UserDataStore } from "@dbmigrate/worker";

// In fetch(request, env):
const mounted = { bucket: env.%s, store: env.%s%s };
const router = createRouter({ ...mounted, flags: env.%s });
const admin = await handleAdmin(request, { ...mounted, env });
if (admin !== null) return admin;
const db = userDatabase(router, user); // a D1Database for one user
`, cmp.Or(m.Bucket, "BUCKET"), cmp.Or(m.Store, "USER_DATA"), more, cmp.Or(m.Flags, "FLAGS"))
}
