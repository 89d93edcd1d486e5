module github.com/chaperone-audit/chaperone/internal/codecbench

go 1.26.5

require (
	github.com/buger/jsonparser v1.6.1
	github.com/bytedance/sonic v1.15.5
	github.com/chaperone-audit/chaperone v0.0.0
	github.com/linkedin/goavro/v2 v2.15.0
	github.com/tidwall/gjson v1.20.2
	github.com/twmb/avro v1.9.1
	github.com/valyala/fastjson v1.6.10
)

require (
	github.com/bytedance/gopkg v0.1.3 // indirect
	github.com/bytedance/sonic/loader v0.5.3 // indirect
	github.com/chaperone-audit/chaperone/audit v0.0.0 // indirect
	github.com/cloudwego/base64x v0.1.6 // indirect
	github.com/golang/snappy v1.0.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/cpuid/v2 v2.2.10 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.3.0 // indirect
	github.com/twitchyliquid64/golang-asm v0.15.1 // indirect
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/arch v0.0.0-20210923205945-b76863e36670 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/chaperone-audit/chaperone => ../..

replace github.com/chaperone-audit/chaperone/audit => ../../audit
