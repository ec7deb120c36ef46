package split_test

// ordinary is a schema as applications have it, with data and the policy that a person would write for it.
type ordinary struct {
	name       string
	statements []string
	policy     string
	// meant counts, with SQL of its own, the rows of each table that the policy means.
	meant [][2]string
	// stay are the reasons why rows stay hot all the same, as Explain gives them, without the numbers.
	stay []string
}

// n is the first n numbers, as a table that statements select from.
const n = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "

// cutoff is a year before the tests' moment, in seconds since 1970.
const (
	now    = "1795676400"
	cutoff = "(1795676400 - 365 * 86400)"
)

var ordinarySchemas = []ordinary{
	{
		name: "shop",
		statements: []string{
			`CREATE TABLE customers(id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL UNIQUE COLLATE NOCASE, name TEXT, created_at TEXT)`,
			`CREATE TABLE products(sku TEXT PRIMARY KEY, title TEXT NOT NULL, price_cents INTEGER CHECK(price_cents >= 0))`,
			`CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id INTEGER NOT NULL REFERENCES customers(id), number TEXT UNIQUE, status TEXT, placed_at TEXT, total REAL)`,
			`CREATE TABLE order_lines(order_id INTEGER NOT NULL REFERENCES orders(id) ON DELETE CASCADE, line INTEGER NOT NULL, sku TEXT REFERENCES products(sku) ON UPDATE CASCADE, qty INTEGER, PRIMARY KEY(order_id, line)) WITHOUT ROWID`,
			`CREATE TABLE payments(id TEXT PRIMARY KEY, order_id INTEGER REFERENCES orders(id) ON DELETE CASCADE, amount REAL, raw BLOB)`,
			`CREATE INDEX o_c ON orders(customer_id, placed_at DESC)`,
			`CREATE VIEW order_totals AS SELECT o.id, sum(l.qty) AS qty FROM orders o JOIN order_lines l ON l.order_id = o.id GROUP BY o.id`,
			n + `40) INSERT INTO customers(email, name, created_at) SELECT 'u' || i || '@x.org', 'n' || i, datetime(` + now + ` - i * 864000, 'unixepoch') FROM n`,
			n + `30) INSERT INTO products SELECT 'SKU' || i, 't' || i, i FROM n`,
			n + `300) INSERT INTO orders(customer_id, number, status, placed_at, total) SELECT 1 + i % 40, 'N-' || i, CASE i % 5 WHEN 0 THEN 'open' WHEN 4 THEN 'cancelled' ELSE 'shipped' END, datetime(` + now + ` - i * 345600, 'unixepoch'), i / 7.0 FROM n`,
			`INSERT INTO order_lines SELECT id, 1, 'SKU' || (1 + id % 30), 2 FROM orders UNION ALL SELECT id, 2, 'SKU' || (1 + id % 7), 1 FROM orders WHERE id % 3 = 0`,
			`INSERT INTO payments SELECT 'p' || id, id, total, x'00ff' FROM orders WHERE id % 5 > 0`,
		},
		policy: `crossing = "stay-hot"
reference = ["customers", "products"]
[tables.orders]
where = "status IN ('shipped','cancelled') AND placed_at < datetime(:now - 365*86400, 'unixepoch')"
[tables.order_lines]
[tables.payments]
`,
		meant: [][2]string{
			{"orders", `status <> 'open' AND placed_at < datetime(` + cutoff + `, 'unixepoch')`},
			{"order_lines", `order_id IN (SELECT id FROM orders WHERE status <> 'open' AND placed_at < datetime(` + cutoff + `, 'unixepoch'))`},
			{"payments", `order_id IN (SELECT id FROM orders WHERE status <> 'open' AND placed_at < datetime(` + cutoff + `, 'unixepoch'))`},
		},
	},
	{
		name: "notes with a full-text index that the application fills",
		statements: []string{
			`CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT, body TEXT, archived INTEGER NOT NULL DEFAULT 0, updated_at INTEGER)`,
			`CREATE TABLE tags(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)`,
			`CREATE TABLE note_tags(note_id INTEGER REFERENCES notes(id) ON DELETE CASCADE, tag_id INTEGER REFERENCES tags(id) ON DELETE CASCADE, PRIMARY KEY(note_id, tag_id)) WITHOUT ROWID`,
			`CREATE TABLE attachments(id TEXT PRIMARY KEY, note_id INTEGER REFERENCES notes(id) ON DELETE SET NULL, name TEXT, data BLOB)`,
			`CREATE VIRTUAL TABLE notes_fts USING fts5(title, body)`,
			n + `12) INSERT INTO tags(name) SELECT 'tag' || i FROM n`,
			n + `200) INSERT INTO notes SELECT i, 't' || i, 'body of ' || i, i % 3 > 0, (` + now + ` - i * 86400) * 1000 FROM n`,
			`INSERT INTO notes_fts(rowid, title, body) SELECT id, title, body FROM notes`,
			`INSERT INTO note_tags SELECT id, 1 + id % 12 FROM notes`,
			`INSERT INTO attachments SELECT 'a' || id, CASE WHEN id % 8 THEN id END, 'f', zeroblob(id) FROM notes WHERE id % 4 < 2`,
		},
		policy: `crossing = "stay-hot"
reference = ["tags"]
[tables.notes]
where = "archived = 1 AND updated_at < (:now - 90*86400) * 1000"
ids = "application"
[tables.note_tags]
[tables.attachments]
`,
		meant: [][2]string{
			{"notes", `archived AND id > 90`},
			{"note_tags", `note_id > 90 AND note_id % 3 > 0`},
			{"attachments", `note_id > 90 AND note_id % 3 > 0`},
		},
	},
	{
		name: "customer relations, soft deletes",
		statements: []string{
			`CREATE TABLE companies(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, parent_id INTEGER REFERENCES companies(id), deleted_at TEXT)`,
			`CREATE TABLE contacts(id INTEGER PRIMARY KEY AUTOINCREMENT, company_id INTEGER REFERENCES companies(id), manager_id INTEGER REFERENCES contacts(id), email TEXT, deleted_at TEXT)`,
			`CREATE UNIQUE INDEX c_email ON contacts(email) WHERE deleted_at IS NULL`,
			`CREATE TABLE activities(id INTEGER PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL REFERENCES contacts(id) ON DELETE CASCADE, kind TEXT, body TEXT)`,
			n + `20) INSERT INTO companies(name, parent_id, deleted_at) SELECT 'c' || i, CASE WHEN i % 5 = 0 THEN i / 5 END, CASE WHEN i % 4 = 0 THEN '2025-01-01T00:00:00Z' END FROM n`,
			n + `200) INSERT INTO contacts(company_id, manager_id, email, deleted_at) SELECT 1 + i % 20, CASE WHEN i % 10 = 0 THEN i / 10 END, 'x' || i || '@y.org', CASE WHEN i % 5 < 3 THEN '2025-06-01T00:00:00Z' END FROM n`,
			n + `400) INSERT INTO activities(contact_id, kind, body) SELECT 1 + i % 200, 'call', 'b' || i FROM n`,
		},
		policy: `crossing = "stay-hot"
reference = ["companies"]
[tables.contacts]
where = "deleted_at IS NOT NULL AND deleted_at < strftime('%Y-%m-%dT%H:%M:%SZ', :now - 30*86400, 'unixepoch')"
[tables.activities]
`,
		// A deleted contact stays while a manager above is not deleted, or a contact below.
		meant: [][2]string{
			{"contacts", `deleted_at IS NOT NULL`},
			{"activities", `contact_id IN (SELECT id FROM contacts WHERE deleted_at IS NOT NULL)`},
		},
		stay: []string{
			`activities: contact_id refers to hot contacts (the where of contacts decides, or reference = ["contacts"] in place of it)`,
			"contacts: manager_id refers to hot contacts (the where of contacts decides)",
		},
	},
	{
		name: "event log with triggers",
		statements: []string{
			`CREATE TABLE totals(kind TEXT PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0, amount REAL NOT NULL DEFAULT 0) WITHOUT ROWID`,
			`CREATE TABLE events(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, ts INTEGER NOT NULL, amount REAL)`,
			`CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, event_id INTEGER)`,
			`CREATE TRIGGER e_ai AFTER INSERT ON events BEGIN INSERT INTO totals(kind, n) VALUES(new.kind, 1) ON CONFLICT(kind) DO UPDATE SET n = n + 1; END`,
			`CREATE TRIGGER e_ad AFTER DELETE ON events BEGIN UPDATE totals SET n = n - 1 WHERE kind = old.kind; INSERT INTO audit(what, event_id) VALUES('delete', old.id); END`,
			n + `300) INSERT INTO events(kind, ts, amount) SELECT 'k' || i % 5, ` + now + ` - i * 43200, i / 3.0 FROM n`,
		},
		policy: `crossing = "refuse"
[tables.events]
where = "ts < :now - 30*86400"
triggers = "accept"
`,
		meant: [][2]string{{"events", `ts < ` + now + ` - 30 * 86400`}, {"totals", `0`}, {"audit", `0`}},
	},
	{
		name: "time tracker",
		statements: []string{
			`CREATE TABLE clients(id INTEGER PRIMARY KEY, name TEXT UNIQUE)`,
			`CREATE TABLE projects(id INTEGER PRIMARY KEY, client_id INT REFERENCES clients(id), name TEXT, rate DECIMAL(10,2), closed_on DATE, UNIQUE(client_id, name))`,
			`CREATE TABLE entries(id INTEGER PRIMARY KEY, project_id INTEGER NOT NULL REFERENCES projects(id) ON DELETE RESTRICT, day DATE NOT NULL, start_min INT, end_min INT, billed BOOLEAN DEFAULT 0, note TEXT,
				minutes INT GENERATED ALWAYS AS (end_min - start_min) STORED, month TEXT AS (substr(day,1,7)) VIRTUAL)`,
			`CREATE TABLE entry_labels(entry_id INTEGER REFERENCES entries(id) ON DELETE CASCADE, label TEXT COLLATE NOCASE, PRIMARY KEY(entry_id, label))`,
			`CREATE INDEX e_month ON entries(month, project_id)`,
			`CREATE INDEX e_expr ON entries(lower(note)) WHERE note IS NOT NULL`,
			n + `10) INSERT INTO clients SELECT i, 'client ' || i FROM n`,
			n + `30) INSERT INTO projects SELECT i, 1 + i % 10, 'p' || i, 20.5, CASE WHEN i % 2 THEN date(` + now + ` - i * 1728000, 'unixepoch') END FROM n`,
			n + `300) INSERT INTO entries(id, project_id, day, start_min, end_min, billed, note) SELECT i * 7, 1 + i % 30, date(` + now + ` - i * 259200, 'unixepoch'), i, i + 10, i % 5 > 0, 'N' || i FROM n`,
			`INSERT INTO entry_labels SELECT id, 'Urgent' FROM entries WHERE id % 3 = 0`,
		},
		// What is old and billed is cold, whatever the project: projects and clients are in both halves.
		policy: `crossing = "stay-hot"
reference = ["clients", "projects"]
[tables.entries]
where = "day < date(:today, '-1 year') AND billed = 1"
ids = "application"
[tables.entry_labels]
`,
		meant: [][2]string{
			{"entries", `day < '2025-11-26' AND billed`},
			{"entry_labels", `entry_id IN (SELECT id FROM entries WHERE day < '2025-11-26' AND billed)`},
		},
	},
	{
		name: "chat",
		statements: []string{
			`CREATE TABLE people(id TEXT PRIMARY KEY, name TEXT)`,
			`CREATE TABLE channels(id INTEGER PRIMARY KEY, name TEXT UNIQUE, owner TEXT REFERENCES people(id))`,
			`CREATE TABLE messages(id INTEGER PRIMARY KEY AUTOINCREMENT, channel_id INTEGER NOT NULL REFERENCES channels(id), author TEXT REFERENCES people(id), reply_to INTEGER REFERENCES messages(id), sent INTEGER, body TEXT)`,
			`CREATE TABLE reactions(message_id INTEGER REFERENCES messages(id) ON DELETE CASCADE, person TEXT REFERENCES people(id), emoji TEXT, PRIMARY KEY(message_id, person, emoji))`,
			n + `20) INSERT INTO people SELECT 'u' || i, 'n' || i FROM n`,
			n + `5) INSERT INTO channels SELECT i, 'c' || i, 'u' || i FROM n`,
			n + `400) INSERT INTO messages(channel_id, author, reply_to, sent, body) SELECT 1 + i % 5, 'u' || (1 + i % 20), CASE WHEN i % 50 = 49 THEN i - 1 END, ` + now + ` - (400 - i) * 172800, 'm' || i FROM n`,
			`INSERT INTO reactions SELECT id, 'u1', '+1' FROM messages WHERE id % 4 = 0`,
		},
		policy: `crossing = "stay-hot"
reference = ["people", "channels"]
[tables.messages]
where = "sent < :now - 365 * 86400"
[tables.reactions]
`,
		meant: [][2]string{
			{"messages", `sent < ` + cutoff},
			{"reactions", `message_id IN (SELECT id FROM messages WHERE sent < ` + cutoff + `)`},
		},
	},
	{
		name: "generic relations, as Django has them",
		statements: []string{
			`CREATE TABLE django_content_type(id integer NOT NULL PRIMARY KEY AUTOINCREMENT, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL, UNIQUE(app_label, model))`,
			`CREATE TABLE auth_user(id integer NOT NULL PRIMARY KEY AUTOINCREMENT, username varchar(150) NOT NULL UNIQUE)`,
			`CREATE TABLE blog_post(id integer NOT NULL PRIMARY KEY AUTOINCREMENT, author_id integer NOT NULL REFERENCES auth_user(id) DEFERRABLE INITIALLY DEFERRED, title varchar(200) NOT NULL, published datetime NOT NULL)`,
			`CREATE TABLE comments(id integer NOT NULL PRIMARY KEY AUTOINCREMENT, content_type_id integer NOT NULL REFERENCES django_content_type(id) DEFERRABLE INITIALLY DEFERRED, object_id integer NOT NULL, text text NOT NULL)`,
			`INSERT INTO django_content_type(app_label, model) VALUES('blog', 'post'), ('auth', 'user')`,
			n + `10) INSERT INTO auth_user(username) SELECT 'u' || i FROM n`,
			n + `100) INSERT INTO blog_post(author_id, title, published) SELECT 1 + i % 10, 't' || i, datetime(` + now + ` - i * 864000, 'unixepoch') FROM n`,
			n + `300) INSERT INTO comments(content_type_id, object_id, text) SELECT 1 + (i % 10 = 0), 1 + i % 10 * (i % 10 > 0) * 10, 'c' || i FROM n`,
		},
		// The comments of a post go with it; those of a user refer to none of the posts.
		policy: `crossing = "stay-hot"
reference = ["django_content_type", "auth_user"]
[tables.blog_post]
where = "published < datetime(:now - 365*86400, 'unixepoch')"
[tables.comments]
where = "content_type_id = 1 AND object_id IN (SELECT id FROM blog_post WHERE published < datetime(:now - 365*86400, 'unixepoch'))"
`,
		meant: [][2]string{
			{"blog_post", `published < datetime(` + cutoff + `, 'unixepoch')`},
			{"comments", `content_type_id = 1 AND object_id IN (SELECT id FROM blog_post WHERE published < datetime(` + cutoff + `, 'unixepoch'))`},
		},
	},
	{
		name: "composite keys of several tenants",
		statements: []string{
			`CREATE TABLE tenants(id TEXT PRIMARY KEY, plan TEXT) WITHOUT ROWID`,
			`CREATE TABLE invoices(tenant TEXT REFERENCES tenants(id), no INTEGER, issued TEXT, paid INTEGER, PRIMARY KEY(tenant, no)) WITHOUT ROWID`,
			`CREATE TABLE invoice_items(tenant TEXT, no INTEGER, pos INTEGER, text TEXT, PRIMARY KEY(tenant, no, pos), FOREIGN KEY(tenant, no) REFERENCES invoices(tenant, no) ON DELETE CASCADE)`,
			n + `5) INSERT INTO tenants SELECT 't' || i, 'free' FROM n`,
			n + `200) INSERT INTO invoices SELECT 't' || (1 + i % 5), i, date(` + now + ` - i * 432000, 'unixepoch'), i % 4 > 0 FROM n`,
			`INSERT INTO invoice_items SELECT tenant, no, p.value, 'x' FROM invoices, json_each('[1,2]') AS p`,
		},
		policy: `crossing = "refuse"
reference = ["tenants"]
[tables.invoices]
where = "paid AND issued < date(:today, '-1 year')"
[tables.invoice_items]
`,
		meant: [][2]string{
			{"invoices", `paid AND issued < '2025-11-26'`},
			{"invoice_items", `(tenant, no) IN (SELECT tenant, no FROM invoices WHERE paid AND issued < '2025-11-26')`},
		},
	},
	{
		name: "a tree of folders and files",
		statements: []string{
			`CREATE TABLE folders(id TEXT PRIMARY KEY, parent TEXT REFERENCES folders(id), name TEXT, trashed INTEGER)`,
			`CREATE TABLE files(id TEXT PRIMARY KEY, folder TEXT REFERENCES folders(id), opened INTEGER, body BLOB)`,
			n + `50) INSERT INTO folders SELECT 'f' || i, CASE WHEN i >= 10 THEN 'f' || (i / 10) END, 'n' || i, i IN (2, 3) FROM n`,
			n + `300) INSERT INTO files SELECT 'd' || i, 'f' || (1 + i % 50), ` + now + ` - i * 864000, zeroblob(i) FROM n`,
		},
		policy: `crossing = "stay-hot"
[tables.folders]
where = "trashed"
[tables.files]
`,
		// What is below a trashed folder goes with it.
		meant: [][2]string{
			{"folders", `trashed OR parent IN ('f2', 'f3')`},
			{"files", `folder IN (SELECT id FROM folders WHERE trashed OR parent IN ('f2', 'f3'))`},
		},
	},
	{
		name: "sensor readings without a key",
		statements: []string{
			`CREATE TABLE sensors(name TEXT PRIMARY KEY, unit TEXT)`,
			`CREATE TABLE readings(sensor TEXT REFERENCES sensors(name), at REAL, value REAL)`,
			`CREATE INDEX r_at ON readings(sensor, at)`,
			n + `6) INSERT INTO sensors SELECT 's' || i, 'C' FROM n`,
			n + `500) INSERT INTO readings SELECT 's' || (1 + i % 6), ` + now + ` - i * 86400.5, i / 10.0 FROM n`,
		},
		policy: `reference = ["sensors"]
[tables.readings]
where = "at < :now - 365*86400"
`,
		meant: [][2]string{{"readings", `at < ` + cutoff}},
	},
	{
		name: "a library with loans",
		statements: []string{
			`CREATE TABLE authors(id INTEGER PRIMARY KEY, name TEXT)`,
			`CREATE TABLE books(id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES authors, title TEXT)`,
			`CREATE TABLE members(id INTEGER PRIMARY KEY, name TEXT, left_on TEXT)`,
			`CREATE TABLE loans(id INTEGER PRIMARY KEY AUTOINCREMENT, book_id INTEGER NOT NULL REFERENCES books, member_id INTEGER NOT NULL REFERENCES members, lent TEXT, returned TEXT)`,
			`CREATE TABLE fines(loan_id INTEGER PRIMARY KEY REFERENCES loans(id), cents INTEGER)`,
			n + `10) INSERT INTO authors SELECT i, 'a' || i FROM n`,
			n + `60) INSERT INTO books SELECT i, 1 + i % 10, 'b' || i FROM n`,
			n + `25) INSERT INTO members SELECT i, 'm' || i, NULL FROM n`,
			n + `300) INSERT INTO loans(book_id, member_id, lent, returned) SELECT 1 + i % 60, 1 + i % 25, date(` + now + ` - i * 432000, 'unixepoch'), CASE WHEN i % 6 THEN date(` + now + ` - i * 432000 + 1209600, 'unixepoch') END FROM n`,
			`INSERT INTO fines SELECT id, 100 FROM loans WHERE id % 9 = 0`,
		},
		policy: `crossing = "stay-hot"
reference = ["authors", "books", "members"]
[tables.loans]
where = "returned IS NOT NULL AND returned < date(:today, '-1 year')"
[tables.fines]
ids = "application"
`,
		meant: [][2]string{
			{"loans", `returned < '2025-11-26'`},
			{"fines", `loan_id IN (SELECT id FROM loans WHERE returned < '2025-11-26')`},
		},
	},
	{
		name: "tickets with history and a self-filling log",
		statements: []string{
			`CREATE TABLE agents(id INTEGER PRIMARY KEY, name TEXT)`,
			`CREATE TABLE tickets(id INTEGER PRIMARY KEY AUTOINCREMENT, agent INTEGER REFERENCES agents(id), state TEXT, closed_at INTEGER)`,
			`CREATE TABLE history(ticket INTEGER REFERENCES tickets(id), at INTEGER, state TEXT)`,
			`CREATE TRIGGER t_au AFTER UPDATE OF state ON tickets BEGIN INSERT INTO history VALUES(new.id, new.closed_at, new.state); END`,
			n + `4) INSERT INTO agents SELECT i, 'a' || i FROM n`,
			n + `200) INSERT INTO tickets(agent, state, closed_at) SELECT 1 + i % 4, CASE WHEN i % 3 THEN 'closed' ELSE 'open' END, CASE WHEN i % 3 THEN ` + now + ` - i * 432000 END FROM n`,
			`INSERT INTO history SELECT id, closed_at, state FROM tickets`,
		},
		policy: `crossing = "stay-hot"
reference = ["agents"]
[tables.tickets]
where = "state = 'closed' AND closed_at < :now - 365*86400"
triggers = "accept"
[tables.history]
`,
		meant: [][2]string{
			{"tickets", `closed_at < ` + cutoff},
			{"history", `ticket IN (SELECT id FROM tickets WHERE closed_at < ` + cutoff + `)`},
		},
	},
	{
		name: "games and seasons, two parents",
		statements: []string{
			`CREATE TABLE seasons(name TEXT PRIMARY KEY, ended TEXT)`,
			`CREATE TABLE games(id INTEGER PRIMARY KEY AUTOINCREMENT, season TEXT REFERENCES seasons(name), played TEXT)`,
			`CREATE TABLE clips(id INTEGER PRIMARY KEY AUTOINCREMENT, game INTEGER REFERENCES games(id), data BLOB)`,
			n + `10) INSERT INTO seasons SELECT 's' || i, CASE WHEN i < 9 THEN 2016 + i || '-12-31' END FROM n`,
			n + `200) INSERT INTO games(season, played) SELECT 's' || (1 + i % 10), '2020-01-01' FROM n`,
			`INSERT INTO clips(game, data) SELECT id, zeroblob(100) FROM games`,
		},
		policy: `[tables.seasons]
where = "ended < date(:today, '-1 year')"
[tables.games]
[tables.clips]
`,
		meant: [][2]string{
			{"seasons", `ended < '2025-11-26'`},
			{"games", `season IN (SELECT name FROM seasons WHERE ended < '2025-11-26')`},
			{"clips", `game IN (SELECT id FROM games WHERE season IN (SELECT name FROM seasons WHERE ended < '2025-11-26'))`},
		},
	},
	{
		name: "a journal in UTF-16 with odd names",
		statements: []string{
			`PRAGMA encoding = 'UTF-16le'`,
			`CREATE TABLE "kind of entry"("the key" TEXT PRIMARY KEY, "größe" INTEGER)`,
			`CREATE TABLE "entry ""log"""("no." INTEGER PRIMARY KEY AUTOINCREMENT, "kind" TEXT REFERENCES "kind of entry"("the key"), "when" TEXT, [text] TEXT)`,
			`INSERT INTO "kind of entry" VALUES('日記', 1), ('mémo', 2)`,
			n + `200) INSERT INTO "entry ""log""" SELECT i, CASE i % 2 WHEN 0 THEN '日記' ELSE 'mémo' END, date(` + now + ` - i * 432000, 'unixepoch'), 'é' || i FROM n`,
		},
		policy: `reference = ["kind of entry"]
[tables.'entry "log"']
where = """\"when\" < date(:today, '-1 year')"""
`,
		meant: [][2]string{{`entry "log"`, `"when" < '2025-11-26'`}},
	},
	{
		name: "habits, a reference table that refers to itself",
		statements: []string{
			`CREATE TABLE categories(id INTEGER PRIMARY KEY, up INTEGER REFERENCES categories(id), name TEXT)`,
			`CREATE TABLE habits(id TEXT PRIMARY KEY, category INTEGER REFERENCES categories(id), ended INTEGER)`,
			`CREATE TABLE ticks(habit TEXT REFERENCES habits(id), day INTEGER, PRIMARY KEY(habit, day)) WITHOUT ROWID`,
			n + `15) INSERT INTO categories SELECT i, CASE WHEN i > 3 THEN i / 4 END, 'c' || i FROM n`,
			n + `60) INSERT INTO habits SELECT 'h' || i, 1 + i % 15, CASE WHEN i % 2 THEN 0 ELSE 1 END FROM n`,
			`INSERT INTO ticks SELECT habits.id, d.value FROM habits, json_each('[1,2,3,4,5]') AS d`,
		},
		policy: `reference = ["categories"]
[tables.habits]
where = "ended"
[tables.ticks]
`,
		meant: [][2]string{
			{"habits", `ended`},
			{"ticks", `habit IN (SELECT id FROM habits WHERE ended)`},
		},
	},
	{
		name: "a blog as Rails makes it, with counter caches",
		statements: []string{
			`CREATE TABLE "schema_migrations" ("version" varchar NOT NULL PRIMARY KEY)`,
			`CREATE TABLE "ar_internal_metadata" ("key" varchar NOT NULL PRIMARY KEY, "value" varchar, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL)`,
			`CREATE TABLE "users" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "name" varchar, "posts_count" integer DEFAULT 0 NOT NULL, "created_at" datetime(6) NOT NULL, "updated_at" datetime(6) NOT NULL)`,
			`CREATE TABLE "posts" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "user_id" integer NOT NULL, "title" varchar, "comments_count" integer DEFAULT 0 NOT NULL, "created_at" datetime(6) NOT NULL, CONSTRAINT "fk_rails_5b5ddfd518" FOREIGN KEY ("user_id") REFERENCES "users" ("id"))`,
			`CREATE TABLE "comments" ("id" integer PRIMARY KEY AUTOINCREMENT NOT NULL, "post_id" integer NOT NULL, "body" text, CONSTRAINT "fk_rails_2fd19c0db7" FOREIGN KEY ("post_id") REFERENCES "posts" ("id"))`,
			`CREATE INDEX "index_posts_on_user_id" ON "posts" ("user_id")`,
			`CREATE INDEX "index_comments_on_post_id" ON "comments" ("post_id")`,
			`CREATE TRIGGER "posts_counted" AFTER INSERT ON "posts" BEGIN UPDATE users SET posts_count = posts_count + 1 WHERE id = NEW.user_id; END`,
			`CREATE TRIGGER "posts_uncounted" AFTER DELETE ON "posts" BEGIN UPDATE users SET posts_count = posts_count - 1 WHERE id = OLD.user_id; END`,
			`CREATE TRIGGER "comments_counted" AFTER INSERT ON "comments" BEGIN UPDATE posts SET comments_count = comments_count + 1 WHERE id = NEW.post_id; END`,
			`CREATE TRIGGER "comments_uncounted" AFTER DELETE ON "comments" BEGIN UPDATE posts SET comments_count = comments_count - 1 WHERE id = OLD.post_id; END`,
			`INSERT INTO schema_migrations SELECT '2024010' || value || '120000' FROM json_each('[1,2,3,4]')`,
			`INSERT INTO ar_internal_metadata VALUES('environment', 'production', '2024-01-01 12:00:00.000000', '2024-01-01 12:00:00.000000')`,
			n + `10) INSERT INTO users(name, created_at, updated_at) SELECT 'u' || i, datetime(` + now + ` - i * 8640000, 'unixepoch') || '.000000', datetime(` + now + ` - i * 8640000, 'unixepoch') || '.000000' FROM n`,
			n + `200) INSERT INTO posts(user_id, title, created_at) SELECT 1 + i % 10, 't' || i, datetime(` + now + ` - i * 432000, 'unixepoch') || '.000000' FROM n`,
			`INSERT INTO comments(post_id, body) SELECT p.id, 'c' FROM posts AS p, json_each('[1,2]') WHERE p.id % 3 > 0`,
		},
		policy: `reference = ["users"]
[tables.posts]
where = "created_at < datetime(:now - 365*86400, 'unixepoch')"
triggers = "accept"
[tables.comments]
triggers = "accept"
`,
		meant: [][2]string{
			{"posts", `created_at < datetime(` + cutoff + `, 'unixepoch')`},
			{"comments", `post_id IN (SELECT id FROM posts WHERE created_at < datetime(` + cutoff + `, 'unixepoch'))`},
		},
	},
}
