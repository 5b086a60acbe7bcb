/* What of libstdc++.a needs tables, threads, exceptions or the system: streams, locales, regexes, threads,
 * files. With an argument it ends by an exception that nobody catches. */
#include <any>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <locale>
#include <map>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <typeinfo>
#include <unordered_map>
#include <variant>
#include <vector>
struct Noisy {
    int n;
    Noisy(int n) : n(n) {
    }
    ~Noisy() {
        std::cout << "gone " + std::to_string(n) + "\n"; /* in one piece: threads end together */
    }
};
thread_local Noisy noisy(3);
static void numbers() {
    std::cout << std::setprecision(17) << 0.1 << " " << std::hexfloat << 0.1 << " " << std::defaultfloat
              << 1e300 << " " << 1.0L / 3 << "\n";
    char b[64];
    auto r = std::to_chars(b, b + 64, 0.1);
    std::cout << std::string(b, r.ptr) << "\n";
    r = std::to_chars(b, b + 64, 1.0L / 3);
    std::cout << std::string(b, r.ptr) << "\n";
    r = std::to_chars(b, b + 64, 6.02214076e23, std::chars_format::fixed, 3);
    std::cout << std::string(b, r.ptr) << "\n";
    double d;
    const char *text = "2.5e-3x";
    auto f = std::from_chars(text, text + 7, d);
    std::cout << d << *f.ptr << "\n";
    std::cout << std::to_string(3.25) << std::stod("1e3") << "\n";
    try {
        std::stoi("nope");
    } catch (const std::invalid_argument &e) {
        std::cout << e.what() << "\n";
    }
}
static void localised() {
    struct Punct : std::numpunct<char> {
        char do_thousands_sep() const override {
            return '\'';
        }
        std::string do_grouping() const override {
            return "\3";
        }
    };
    std::ostringstream s;
    s.imbue(std::locale(std::locale::classic(), new Punct));
    s << 1234567;
    std::cout << s.str() << "\n";
    try {
        std::locale l("C.UTF-8");
        std::cout << l.name() << "\n";
        std::wcout.imbue(l);
    } catch (const std::runtime_error &e) {
        std::cout << e.what() << "\n";
    }
    try {
        std::locale l("xx_YY");
    } catch (const std::runtime_error &e) {
        std::cout << e.what() << "\n";
    }
    std::tm t{};
    t.tm_year = 100;
    t.tm_mday = 2;
    std::cout << std::put_time(&t, "%A %B %d %Y") << "\n";
    std::cout << std::put_money(12345) << std::boolalpha << true << "\n";
    auto &c = std::use_facet<std::collate<char>>(std::locale());
    std::string a = "a", b = "b";
    std::cout << c.compare(&a[0], &a[1], &b[0], &b[1]) << "\n";
}
static void threads() {
    std::vector<std::thread> ts;
    std::mutex m;
    std::condition_variable cv;
    int sum = 0;
    bool go = false;
    for (int i = 0; i < 4; i++)
        ts.emplace_back([&, i] {
            noisy.n = 0;
            std::unique_lock l(m);
            cv.wait(l, [&] { return go; });
            sum += i;
            noisy.n = 9;
        });
    {
        std::lock_guard l(m);
        go = true;
    }
    cv.notify_all();
    for (auto &t : ts)
        t.join();
    std::cout << sum << "\n";
    auto f = std::async(
        std::launch::async,
        [](int n) {
            if (n > 2)
                throw std::out_of_range("from a thread");
            return n;
        },
        3);
    try {
        f.get();
    } catch (const std::out_of_range &e) {
        std::cout << e.what() << "\n";
    }
    std::promise<int> p;
    auto q = p.get_future();
    std::thread t([&] { p.set_value(8); });
    std::cout << q.get() << "\n";
    t.join();
    try {
        p.set_value(9);
    } catch (const std::future_error &e) {
        std::cout << e.code() << e.what() << "\n";
    }
    std::once_flag once;
    for (int i = 0; i < 2; i++)
        std::call_once(once, [] { std::cout << "once\n"; });

    std::shared_mutex sm;
    { std::shared_lock l(sm); }
}
static void files() {
    namespace fs = std::filesystem;
    auto dir = fs::current_path() / "files";
    fs::remove_all(dir);
    fs::create_directories(dir / "a/b");
    std::ofstream(dir / "a/file") << "text\n";
    std::cout << fs::file_size(dir / "a/file") << "\n";
    std::set<std::string> names;
    for (auto &e : fs::recursive_directory_iterator(dir))
        names.insert(e.path().lexically_relative(dir));
    for (auto &n : names)
        std::cout << n << "\n";
    try {
        fs::file_size(dir / "none");
    } catch (const fs::filesystem_error &e) {
        std::cout << e.code().message() << "\n";
    }
    std::error_code ec;
    fs::copy(dir / "nope", dir / "x", ec);
    std::cout << ec << "\n";
    std::ifstream in(dir / "a/file");
    std::string w;
    in >> w;
    std::cout << w << "\n";
    fs::remove_all(dir);
}
static void rest() {
    std::regex r(R"((\w+)@(\w+)\.com)", std::regex::icase);
    std::smatch m;
    std::string s = "x Me@Example.COM y";
    if (std::regex_search(s, m, r))
        std::cout << m[1] << " " << m[2] << "\n";
    try {
        std::regex bad("(");
    } catch (const std::regex_error &e) {
        std::cout << e.what() << "\n";
    }
    std::mt19937_64 g(5);
    std::normal_distribution<> n;
    std::uniform_int_distribution<> u(1, 6);
    std::cout << g() << " " << n(g) << " " << u(g) << "\n";
    std::random_device rd;
    (void)rd();
    auto t0 = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::cout << (std::chrono::steady_clock::now() - t0 >= std::chrono::milliseconds(2)) << "\n";
    std::pmr::monotonic_buffer_resource pool;
    std::pmr::vector<int> v(&pool);
    for (int i = 0; i < 100; i++)
        v.push_back(i);
    std::cout << v.size() << "\n";
    std::any a = 5;
    try {
        std::any_cast<std::string>(a);
    } catch (const std::bad_any_cast &e) {
        std::cout << e.what() << "\n";
    }
    try {
        dynamic_cast<std::ofstream &>(static_cast<std::ios &>(std::cout));
    } catch (const std::bad_cast &e) {
        std::cout << e.what() << "\n";
    }
    std::cout << typeid(std::map<int, std::string>).name() << "\n";
    std::cerr << "to stderr\n";
    std::clog << "log\n";
    std::cout << std::cyl_bessel_j(0, 1.5) << "\n";
    std::wcout << L"wide\n";
    std::exception_ptr ep;
    try {
        throw std::runtime_error("kept");
    } catch (...) {
        ep = std::current_exception();
    }
    try {
        std::rethrow_exception(ep);
    } catch (std::exception &e) {
        std::cout << e.what() << "\n";
    }
    try {
        try {
            throw 1;
        } catch (...) {
            std::throw_with_nested(std::logic_error("outer"));
        }
    } catch (const std::exception &e) {
        try {
            std::rethrow_if_nested(e);
        } catch (int i) {
            std::cout << e.what() << i << "\n";
        }
    }
    volatile size_t huge = (size_t)1 << 62;
    try {
        delete[] new char[huge];
    } catch (const std::bad_alloc &e) {
        std::cout << e.what() << "\n";
    }
}
int main(int c, char **v) {
    std::cout << noisy.n << "\n";
    numbers();
    localised();
    threads();
    files();
    rest();
    std::string line;
    while (std::getline(std::cin, line))
        std::cout << "in " << line << "\n";
    if (c > 1)
        throw std::runtime_error(v[1]);
    return 6;
}
