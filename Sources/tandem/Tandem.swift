/// The command line.
@main
struct Tandem {
    static func main() {}
}
