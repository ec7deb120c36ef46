package split

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/internal/suggest"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Policy says which rows are cold (docs/split.md, "The policy").
type Policy struct {
	// StayHot keeps rows hot if their move would tear a reference apart; otherwise such a database is
	// refused.
	StayHot bool
	// Reference names the tables with rows that stay hot, and with a copy in the cold part, so that a
	// reference to one of their rows keeps no row hot.
	Reference []string
	// Tables has the rules by the names that the policy gives the tables.
	Tables map[string]TableRule

	path string
	// thawed are rows that are hot whatever the rules say.
	thawed []wire.Thaw
}

// TableRule is what a policy says about one table.
type TableRule struct {
	// Where is the SQL expression that is true for cold rows; "" for a table with rows that only follow their
	// parents.
	Where string
	// FollowOwn means that the table's rows do not follow their parents: Where alone decides.
	FollowOwn bool
	// ApplicationIDs promises that the application chooses the table's INTEGER PRIMARY KEY values, never
	// SQLite.
	ApplicationIDs bool
	// AcceptTriggers promises that the table's triggers need no row of the other side.
	AcceptTriggers bool
	// References are foreign keys that the schema does not declare.
	References []Reference
}

// Reference says that Columns of the table refer to the columns To of Table; without To, to its primary key.
type Reference struct {
	Columns []string
	Table   string
	To      []string
}

const policyHint = "docs/split.md describes the policy"

// LoadPolicy reads a policy from a .toml, .jsonc or .json file. Errors have kind Usage.
func LoadPolicy(path string) (*Policy, error) {
	raw, err := readPolicy(path)
	if err == nil {
		var p *Policy
		if p, err = parsePolicy(raw); err == nil {
			p.path = path
			return p, nil
		}
	}
	return nil, &userdb.Error{Op: "read policy", Thing: path, Kind: userdb.Usage, Err: err, Hint: policyHint}
}

func readPolicy(path string) (map[string]any, error) {
	content, err := os.ReadFile(path)
	var at *fs.PathError
	if errors.As(err, &at) {
		return nil, at.Err
	}
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(path, ".toml"):
		return readTOML(content)
	case strings.HasSuffix(path, ".json"), strings.HasSuffix(path, ".jsonc"):
		return readJSON(content)
	}
	return nil, errors.New("its name ends neither in .toml nor in .jsonc or .json")
}

func readTOML(content []byte) (map[string]any, error) {
	raw := map[string]any{}
	_, err := toml.Decode(string(content), &raw)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return nil, fmt.Errorf("line %d: %s", syntax.Position.Line, syntax.Message)
	}
	return raw, err
}

func readJSON(content []byte) (map[string]any, error) {
	value, err := hujson.Parse(content)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "hujson: "))
	}
	if err := findDoubled(content, value); err != nil {
		return nil, err
	}
	value.Standardize()
	raw := map[string]any{}
	if err := json.Unmarshal(value.Pack(), &raw); err != nil {
		return nil, errors.New("it is no JSON object")
	}
	return raw, nil
}

// findDoubled finds a name that stands twice in one object: JSON would silently take the last.
func findDoubled(content []byte, value hujson.Value) error {
	switch v := value.Value.(type) {
	case *hujson.Object:
		seen := map[string]bool{}
		for _, member := range v.Members {
			name := member.Name.Value.(hujson.Literal).String()
			if seen[name] {
				return fmt.Errorf("line %d: %q stands there a second time", 1+bytes.Count(content[:member.Name.StartOffset], []byte("\n")), name)
			}
			seen[name] = true
			if err := findDoubled(content, member.Value); err != nil {
				return err
			}
		}
	case *hujson.Array:
		for _, element := range v.Elements {
			if err := findDoubled(content, element); err != nil {
				return err
			}
		}
	}
	return nil
}

// section is one object of the file, with the path by which a person finds it.
type section struct {
	path   string
	values map[string]any
}

func parsePolicy(raw map[string]any) (*Policy, error) {
	top := section{values: raw}
	if err := top.only("crossing", "reference", "tables"); err != nil {
		return nil, err
	}
	p := &Policy{Tables: map[string]TableRule{}}
	var err error
	if p.StayHot, err = top.choice("crossing", "refuse", "stay-hot"); err != nil {
		return nil, err
	}
	if p.Reference, err = top.texts("reference"); err != nil {
		return nil, err
	}
	tables, err := top.section("tables")
	if err != nil {
		return nil, err
	}
	if len(tables.values) == 0 {
		return nil, errors.New("it names no tables")
	}
	return p, p.addTables(tables)
}

func (p *Policy) addTables(tables section) error {
	folded := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(tables.values)) {
		if other, doubled := folded[sqltext.Fold(name)]; doubled {
			return fmt.Errorf("the tables %q and %q are one: SQLite does not tell them apart", other, name)
		}
		folded[sqltext.Fold(name)] = name
		s, err := tables.section(name)
		if err != nil {
			return err
		}
		rule, err := parseRule(s)
		if err != nil {
			return err
		}
		p.Tables[name] = rule
		for _, copied := range p.Reference {
			if sqltext.Fold(copied) == sqltext.Fold(name) {
				return fmt.Errorf(
					"tables.%s: it stands in reference, too, and no row of a reference table is cold: take it out of one of the two",
					name,
				)
			}
		}
	}
	for _, rule := range p.Tables {
		if rule.Where != "" {
			return nil
		}
	}
	return errors.New("no table has a where, so no row would be cold")
}

func parseRule(s section) (rule TableRule, err error) {
	if err := s.only("where", "follow", "ids", "triggers", "references"); err != nil {
		return rule, err
	}
	if rule.Where, err = s.text("where"); err != nil {
		return rule, err
	}
	if _, said := s.values["where"]; said {
		if err := checkExpression(rule.Where); err != nil {
			return rule, fmt.Errorf("%s: %w", s.at("where"), err)
		}
	}
	if rule.FollowOwn, err = s.choice("follow", "parent", "own"); err != nil {
		return rule, err
	}
	if rule.ApplicationIDs, err = s.choice("ids", "sqlite", "application"); err != nil {
		return rule, err
	}
	if rule.AcceptTriggers, err = s.choice("triggers", "refuse", "accept"); err != nil {
		return rule, err
	}
	rule.References, err = s.references()
	return rule, err
}

func (s section) references() ([]Reference, error) {
	list, err := s.sections("references")
	if err != nil {
		return nil, err
	}
	var references []Reference
	for _, one := range list {
		r, err := parseReference(one)
		if err != nil {
			return nil, err
		}
		references = append(references, r)
	}
	return references, nil
}

func parseReference(s section) (r Reference, err error) {
	if err := s.only("columns", "table", "to"); err != nil {
		return r, err
	}
	if r.Table, err = s.text("table"); err != nil {
		return r, err
	}
	if r.Columns, err = s.texts("columns"); err != nil {
		return r, err
	}
	if r.To, err = s.texts("to"); err != nil {
		return r, err
	}
	switch {
	case r.Table == "":
		return r, fmt.Errorf("%s is missing: the table that is referred to", s.at("table"))
	case len(r.Columns) == 0:
		return r, fmt.Errorf("%s is missing: the columns that refer to %s", s.at("columns"), r.Table)
	case len(r.To) > 0 && len(r.To) != len(r.Columns):
		return r, fmt.Errorf(
			"%s has %d names and %s has %d",
			s.at("to"),
			len(r.To),
			s.at("columns"),
			len(r.Columns),
		)
	}
	return r, nil
}

func (s section) at(key string) string {
	if s.path == "" {
		return key
	}
	return s.path + "." + key
}

func (s section) only(known ...string) error {
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf(
				"%s is no setting: %sthere are %s",
				s.at(key),
				suggest.Hint(key, known),
				strings.Join(known, ", "),
			)
		}
	}
	return nil
}

func (s section) text(key string) (string, error) {
	value, said := s.values[key]
	if !said {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", s.wrong(key, "a text")
	}
	return text, nil
}

func (s section) texts(key string) ([]string, error) {
	value, said := s.values[key]
	if !said {
		return nil, nil
	}
	list, ok := value.([]any)
	if !ok {
		return nil, s.wrong(key, "a list of names")
	}
	var texts []string
	for _, element := range list {
		text, ok := element.(string)
		if !ok || text == "" {
			return nil, s.wrong(key, "a list of names")
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// choice reads a setting of two words: the first is the default, the second is true.
func (s section) choice(key, first, second string) (bool, error) {
	value, err := s.text(key)
	if _, said := s.values[key]; err != nil || !said {
		return false, err
	}
	if value != first && value != second {
		return false, fmt.Errorf("%s is %q: it can be %q or %q", s.at(key), value, first, second)
	}
	return value == second, nil
}

func (s section) section(key string) (section, error) {
	value, said := s.values[key]
	if !said {
		return section{path: s.at(key)}, nil
	}
	values, ok := value.(map[string]any)
	if !ok {
		return section{}, s.wrong(key, "a table of settings")
	}
	return section{path: s.at(key), values: values}, nil
}

// sections reads a list of tables; TOML has it in two forms.
func (s section) sections(key string) ([]section, error) {
	var list []section
	add := func(i int, values map[string]any) {
		list = append(list, section{path: fmt.Sprintf("%s[%d]", s.at(key), i), values: values})
	}
	switch value := s.values[key].(type) {
	case nil:
	case []map[string]any:
		for i, values := range value {
			add(i, values)
		}
	case []any:
		for i, element := range value {
			values, ok := element.(map[string]any)
			if !ok {
				return nil, s.wrong(key, "a list of tables of settings")
			}
			add(i, values)
		}
	default:
		return nil, s.wrong(key, "a list of tables of settings")
	}
	return list, nil
}

func (s section) wrong(key, want string) error {
	return fmt.Errorf("%s is %s, and it takes %s", s.at(key), typeName(s.values[key]), want)
}

func typeName(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case map[string]any:
		return "a table of settings"
	case []any, []map[string]any:
		return "a list"
	}
	return "something else"
}
