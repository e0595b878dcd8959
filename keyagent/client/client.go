// Package client holds the script that pages use to speak to the key agent. It is
// a plain script without eval, fit for a strict Content-Security-Policy; it
// defines window.UKAgent.
package client

import _ "embed"

// JS is ukagent.js, to be served as text/javascript from the page's own origin.
// The page's policy needs ConnectSrc.
//
//go:embed ukagent.js
var JS []byte

// ConnectSrc is what a page that uses the agent adds to connect-src.
const ConnectSrc = "http://127.0.0.1:17631 http://127.0.0.1:27631 http://127.0.0.1:37631 ws://127.0.0.1:17631 ws://127.0.0.1:27631 ws://127.0.0.1:37631"
