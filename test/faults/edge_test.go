package faults

import (
	"net/http"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestTheEdgeBlocksOneUser: what stands in front of the Worker answers for one user, with each kind of page,
// or the platform says that this user's object cannot work. That user's line names it, and the others are
// done.
func TestTheEdgeBlocksOneUser(t *testing.T) {
	const html, plain, json = "text/html; charset=UTF-8", "text/plain; charset=UTF-8", "application/json"
	page := func(status int, media, body string, headers ...string) faultproxy.Fault {
		f := withBody(
			answers(status, append(headers, "Server", "cloudflare", "Cf-Ray", "9a1b2c3d4e5f-FRA")...),
			media,
			body,
		)
		return f
	}
	object := func(says string) faultproxy.Fault {
		return withBody(
			answers(http.StatusInternalServerError),
			json,
			`{"error":{"kind":"internal","message":"ask the Durable Object: `+says+`"}}`,
		)
	}
	type block struct {
		name        string
		page        faultproxy.Fault
		kind, names string
		command     string
	}
	var all []block
	for _, b := range []block{
		{name: "bot challenge", page: page(403, html, "<title>Just a moment...</title>", "Cf-Mitigated", "challenge"), kind: "edge-blocked", names: "bot challenge"},
		{name: "firewall page", page: page(403, html, "<h1>Sorry, you have been blocked</h1>"), kind: "edge-blocked", names: "WAF"},
		{name: "firewall code", page: page(403, plain, "error code: 1020"), kind: "edge-blocked", names: "1020"},
		{name: "banned client", page: page(403, plain, "error code: 1010"), kind: "edge-blocked", names: "1010"},
		{name: "CPU", page: page(503, plain, "error code: 1102"), kind: "unreachable", names: "1102"},
		{name: "custom page", page: page(409, html, "<h1>Oops</h1>"), kind: "edge-blocked", names: "custom error page"},
		{name: "Access", page: page(302, html, "", "Location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/w"), kind: "edge-blocked", names: "Cloudflare Access"},
		{name: "Access, strict", page: page(401, html, "", "Www-Authenticate", `Cloudflare-Access resource_metadata="x"`), kind: "edge-blocked", names: "Cloudflare Access"},
		{name: "the object's CPU", page: object("Durable Object exceeded its CPU time limit and was reset."), kind: "internal", names: "limits.cpu_ms"},
		{name: "the object's memory", page: object("Durable Object's isolate exceeded its memory limit and was reset."), kind: "internal", names: "memory"},
		{name: "the object's class", page: object("SQL is not enabled for this Durable Object class."), kind: "internal", names: "new_sqlite_classes"},
	} {
		for _, command := range []string{"migrate", "verify", "rollback"} {
			b.command = command
			all = append(all, b)
		}
	}
	for _, b := range effort.Some(t, "pages of the edge", all, 4) {
		t.Run(strings.ReplaceAll(b.command+" "+b.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			team := newTeam(t, 3)
			if b.command != "migrate" {
				must(t, team.op, 0, append([]string{"migrate"}, team.names()...)...)
			}
			blocked := team.users[1].Name
			tries := 0
			team.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
				if strings.Contains(r.Path, "/_dbmigrate/") &&
					strings.Contains(r.Path, "/users/"+blocked+"/") {
					tries++
					return b.page
				}
				return faultproxy.Fault{}
			})
			f := must(t, team.op, 1, append([]string{b.command, "--concurrency", "1"}, team.names()...)...)
			team.op.Proxy.Reset(nil)
			for _, u := range team.users {
				a, told := f.Accounts[u.Name]
				if !told || (a.Error != nil) != (u.Name == blocked) {
					t.Fatalf("%s: told %t, error %v\n%s", u.Name, told, a.Error, f)
				}
				if a.Error != nil && (a.Error.Kind != b.kind || !strings.Contains(a.Error.Message, b.names)) {
					t.Errorf("%s is told of %q", a.Error.Kind, a.Error.Message)
				}
			}
			if f.Summary.Failed != 1 || f.Summary.NotBegun != 0 {
				t.Errorf("the summary: %+v", f.Summary)
			}
			if tries > 2 {
				t.Errorf("%d requests were made in vain for one user", tries)
			}
			mustFinish(
				t,
				team,
				b.command,
				map[string]string{"migrate": "object", "verify": "object", "rollback": "file"}[b.command],
			)
		})
	}
}
