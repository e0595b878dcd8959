// Package journey holds tests only: whole ways through the running program, as an applicant, a member of the CA's staff,
// a courier and a relying party go them. certsaas is built and started with its demonstration data; persons act through
// its pages, in headless Chromium or with a reader that knows no JavaScript, never behind them. What a person would see
// elsewhere is read there: SMS in the file the demonstration writes, the key with pkcs11-tool, certificates and
// revocation lists with openssl.
//
// unshown.txt lists requirements that no test can show, with the reason; scripts/requirements fails on any other gap.
package journey
