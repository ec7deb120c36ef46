package config

// Project is what a wrangler configuration offers to somebody who sets dbmigrate up.
type Project struct {
	Path         string
	Environments []string
	top          *wranglerFile
}

// Offer is one environment of a Project. Names are as the file has them; an empty id means that wrangler
// makes it on deploy.
type Offer struct {
	AccountID  string
	Buckets    []Choice
	Namespaces []Choice
	WorkerURL  string
}

// Choice is one binding.
type Choice struct{ Value, Binding, Jurisdiction string }

// OpenProject reads the wrangler configuration that Load would read; nil when there is none.
func OpenProject(in Input) (*Project, error) {
	if isOwn(in.File) {
		in.File = ""
	}
	path, err := wranglerPath(in)
	if err != nil || path == "" {
		return nil, err
	}
	top, err := parseWrangler(path)
	if err != nil {
		return nil, usage("read", path, err, "")
	}
	return &Project{Path: path, Environments: top.environmentNames(), top: top}, nil
}

// Choose picks an environment as Load does: none is an error where there are some.
func (p *Project) Choose(in Input) (Offer, string, error) {
	f, err := p.top.choose(in)
	if err != nil {
		return Offer{}, "", err
	}
	o := Offer{AccountID: f.AccountID, WorkerURL: f.workerURL()}
	for _, b := range f.R2 {
		o.Buckets = append(o.Buckets, Choice{b.Name, b.Binding, b.Jurisdiction})
	}
	for _, b := range f.KV {
		o.Namespaces = append(o.Namespaces, Choice{Value: b.ID, Binding: b.Binding})
	}
	return o, f.environment, nil
}

// Given are the settings of flags and environment, for init.
func Given(in Input) Values { return merge(in.Flags, valuesOf(in.Getenv)) }

// Check finds what Load would refuse in the settings.
func (s Settings) Check() error {
	c := Config{Values: s.values()}
	return c.validate()
}
