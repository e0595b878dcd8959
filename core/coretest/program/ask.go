package program

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Ask posts JSON to an address as the page's script does, and gives status and answer; the visitor stays on his page.
func (v *Visitor) Ask(address string, in any) (int, map[string]any) {
	v.T.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		v.T.Fatal(err)
	}
	to, err := v.URL.Parse(address)
	if err != nil {
		v.T.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		v.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Requested-With", "fetch")
	req.Header.Set("Origin", v.URL.Scheme+"://"+v.URL.Host)
	req.Header.Set("X-CSRF-Token", v.Page.Find(`meta[name="csrf"]`).AttrOr("content", ""))
	res, err := v.Client.Do(req)
	if err != nil {
		v.T.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil && res.StatusCode != http.StatusNoContent {
		v.T.Fatalf("%s: %d: %v", to, res.StatusCode, err)
	}
	if res.StatusCode >= 500 {
		v.T.Fatalf("POST %s: %d %v", to, res.StatusCode, out)
	}
	return res.StatusCode, out
}
