package config

import (
	"fmt"
	"strings"
)

// bucket is the binding of the bucket that is asked for, or the only one. A bucket that the file does not
// know is fine: it was named.
func (f *wranglerFile) bucket(name string) (r2Binding, error) {
	if name != "" {
		for _, b := range f.R2 {
			if b.Name == name {
				return b, nil
			}
		}
		return r2Binding{}, nil
	}
	switch len(f.R2) {
	case 0:
		return r2Binding{}, nil
	case 1:
		return f.R2[0], nil
	}
	var names []string
	for _, b := range f.R2 {
		names = append(names, fmt.Sprintf("%s (%s)", b.Name, b.Binding))
	}
	return r2Binding{}, usage(
		"choose bucket",
		"",
		fmt.Errorf("%s has several: %s", f.where(), strings.Join(names, ", ")),
		"choose with --bucket",
	)
}

// kvNamespace is the id of the only namespace; "" when there is none, or when it has no id yet (wrangler
// makes one on deploy).
func (f *wranglerFile) kvNamespace() (string, error) {
	switch len(f.KV) {
	case 0:
		return "", nil
	case 1:
		return f.KV[0].ID, nil
	}
	var names []string
	for _, b := range f.KV {
		names = append(names, fmt.Sprintf("%s (%s)", b.ID, b.Binding))
	}
	return "", usage(
		"choose KV namespace",
		"",
		fmt.Errorf("%s has several: %s", f.where(), strings.Join(names, ", ")),
		"choose with --kv-namespace",
	)
}

// workerURL is where the Worker answers for every path, if the file says so plainly: one custom domain or one
// route host/*. The workers.dev name is not in the file.
func (f *wranglerFile) workerURL() string {
	routes := f.Routes
	if f.Route != nil {
		routes = append([]any{f.Route}, routes...)
	}
	if len(routes) != 1 {
		return ""
	}
	host := ""
	switch route := routes[0].(type) {
	case string:
		host = wholeHost(route)
	case map[string]any:
		pattern, _ := route["pattern"].(string)
		if custom, _ := route["custom_domain"].(bool); custom {
			host = pattern
		} else {
			host = wholeHost(pattern)
		}
	}
	if host == "" || strings.ContainsAny(host, "*/") {
		return ""
	}
	return "https://" + host
}

// wholeHost is the host of a route that covers all of it, else "".
func wholeHost(pattern string) string {
	pattern = strings.TrimPrefix(pattern, "https://")
	host, covers := strings.CutSuffix(pattern, "/*")
	if !covers {
		return ""
	}
	return host
}
