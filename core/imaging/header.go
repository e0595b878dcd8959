package imaging

import (
	"bytes"
	"encoding/binary"
)

// header is what is known of a picture before it is decoded.
type header struct {
	width, height int
	halfBytes     int // half bytes a pixel takes while decoding
	orientation   int // EXIF 1…8
}

// Sniff names the kind of file by its first bytes, never by its name: "jpeg" and "png" are accepted, the others are named
// for the log and the user's sentence ("gif", "heic", "pdf", …), "unknown" is the rest.
func Sniff(raw []byte) string {
	at := func(i int, s string) bool { return len(raw) >= i+len(s) && string(raw[i:i+len(s)]) == s }
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(raw[:min(len(raw), 512)], []byte("\xEF\xBB\xBF")), " \t\r\n"))
	switch {
	case at(0, "\xFF\xD8\xFF"):
		return "jpeg"
	case at(0, "\x89PNG\r\n\x1a\n"):
		return "png"
	case at(0, "GIF8"):
		return "gif"
	case at(0, "RIFF") && at(8, "WEBP"):
		return "webp"
	case at(4, "ftyphei"), at(4, "ftypmif1"), at(4, "ftypmsf1"), at(4, "ftyphev"):
		return "heic"
	case at(4, "ftypavif"):
		return "avif"
	case at(0, "%PDF-"):
		return "pdf"
	case at(0, "BM"):
		return "bmp"
	case at(0, "II*\x00"), at(0, "MM\x00*"):
		return "tiff"
	case at(0, "PK\x03\x04"):
		return "zip"
	case bytes.HasPrefix(text, []byte("<svg")), bytes.Contains(text, []byte("<svg")):
		return "svg"
	case bytes.HasPrefix(text, []byte("<")):
		return "html"
	}
	return "unknown"
}

// pngHeader reads a PNG's header and walks its chunks to the end (PNG 3rd ed. §5.3): a file that ends before IEND broke
// off, one with acTL is an animation (§11.3.6.1).
func pngHeader(raw []byte) (header, error) {
	if len(raw) < 33 { // signature and IHDR
		return header{}, refuse(Truncated, "")
	}
	w, ht := binary.BigEndian.Uint32(raw[16:]), binary.BigEndian.Uint32(raw[20:])
	if string(raw[12:16]) != "IHDR" || w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
		return header{}, refuse(Damaged, "no header")
	}
	h := header{width: int(w), height: int(ht), halfBytes: 8, orientation: 1}
	if raw[24] == 16 { // bits a sample
		h.halfBytes = 16
	}
	for at := 8; at+12 <= len(raw); {
		size, kind := binary.BigEndian.Uint32(raw[at:]), string(raw[at+4:at+8])
		if uint64(size)+12 > uint64(len(raw)-at) {
			break
		}
		body := raw[at+8 : at+8+int(size)]
		switch kind {
		case "acTL":
			return header{}, refuse(Animated, "")
		case "eXIf":
			h.orientation = exifOrientation(body)
		case "IEND":
			return h, nil
		}
		at += int(size) + 12
	}
	if h.width > maxSidePNG || h.height > maxSidePNG { // a bomb needs no body to be one
		return h, nil
	}
	return header{}, refuse(Truncated, "")
}

// maxSidePNG is beyond every limit one may set: what claims more is refused for its size, broken off or not.
const maxSidePNG = 1 << 20

// jpegHeader walks the segments before the first scan (ITU-T T.81 §B.2): frame header, EXIF.
func jpegHeader(raw []byte) (header, error) {
	h := header{orientation: 1}
	if Sniff(raw) != "jpeg" {
		return h, refuse(NotJPEGOrPNG, "")
	}
	for at := 2; at+4 <= len(raw); {
		if raw[at] != 0xFF { // stray bytes between segments: decoders skip them
			at++
			continue
		}
		marker := raw[at+1]
		if marker == 0xFF { // fill
			at++
			continue
		}
		if marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7) { // no length
			at += 2
			continue
		}
		size := int(binary.BigEndian.Uint16(raw[at+2:]))
		if size < 2 {
			return h, refuse(Damaged, "segment length %d", size)
		}
		if at+2+size > len(raw) {
			return h, refuse(Truncated, "")
		}
		body := raw[at+4 : at+2+size]
		switch {
		case marker == 0xDA || marker == 0xD9: // scan or end
			if h.width == 0 || h.height == 0 {
				return h, refuse(Damaged, "no frame")
			}
			return h, nil
		case marker == 0xE1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			h.orientation = exifOrientation(body[6:])
		case marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC:
			if err := h.frame(marker, body); err != nil {
				return h, err
			}
		}
		at += 2 + size
	}
	return h, refuse(Truncated, "")
}

// frame reads a frame header: size, and from the sampling how much memory a pixel takes.
func (h *header) frame(marker byte, body []byte) error {
	if marker > 0xC2 || len(body) < 6 || body[0] != 8 {
		return refuse(Unsupported, "frame type %X", marker)
	}
	h.height, h.width = int(binary.BigEndian.Uint16(body[1:])), int(binary.BigEndian.Uint16(body[3:]))
	n := int(body[5])
	if len(body) < 6+3*n || n == 0 {
		return refuse(Damaged, "frame of %d components", n)
	}
	most, sum := 0, 0
	for i := range n {
		area := int(body[7+3*i]>>4) * int(body[7+3*i]&15)
		most, sum = max(most, area), sum+area
	}
	if most == 0 {
		return refuse(Damaged, "sampling 0")
	}
	h.halfBytes = (2*sum + most - 1) / most // 3 for the usual 4:2:0, 6 for 4:4:4, 8 for CMYK
	if n == 4 {
		h.halfBytes += 8 // a second copy when the planes are joined
	}
	if marker == 0xC2 { // progressive: the decoder keeps every coefficient as int32
		h.halfBytes *= 5
	}
	return nil
}

// exifOrientation reads tag 0x0112 of the first directory (Exif 2.32 §4.6.4 A); anything odd is 1, upright.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	for i := range uint64(order.Uint16(tiff[at:])) {
		entry := at + 2 + 12*i
		if entry+12 > uint64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[entry:]) == 0x0112 {
			if v := int(order.Uint16(tiff[entry+8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
