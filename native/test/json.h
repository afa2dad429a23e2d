// A reader of JSON, for the golden files and the header of weights: throws std::runtime_error for what is not JSON.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lo::test {

struct Json {
  enum class Kind { null, boolean, number, text, list, object };
  Kind kind = Kind::null;
  double number = 0;  // of a boolean, 0 or 1
  std::string text;
  std::vector<Json> items;
  std::vector<std::pair<std::string, Json>> members;

  bool isNull() const { return kind == Kind::null; }
  // Null where there is no such member.
  const Json* find(const std::string& name) const {
    for (const auto& m : members) {
      if (m.first == name) return &m.second;
    }
    return nullptr;
  }
  const Json& at(const std::string& name) const {
    const Json* const found = find(name);
    if (found == nullptr) throw std::runtime_error("JSON: no member '" + name + "'");
    return *found;
  }
  bool truth() const { return number != 0; }
  int integer() const { return static_cast<int>(number); }
  // All numbers of a list, of lists in it too.
  std::vector<double> numbers() const {
    std::vector<double> all;
    collect(all);
    return all;
  }
  std::vector<float> floats() const {
    const std::vector<double> all = numbers();
    return std::vector<float>(all.begin(), all.end());
  }

 private:
  void collect(std::vector<double>& all) const {
    if (kind == Kind::number) all.push_back(number);
    for (const Json& item : items) item.collect(all);
  }
};

class JsonReader {
 public:
  static Json read(const std::string& text) {
    JsonReader reader(text);
    const Json value = reader.value();
    reader.space();
    if (reader.at_ != text.size()) reader.fail("nothing more");
    return value;
  }

 private:
  explicit JsonReader(const std::string& text) : text_(text) {}

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::runtime_error("JSON: expected " + expected + " at " + std::to_string(at_));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }
  void expect(char c) {
    space();
    if (peek() != c) fail(std::string(1, c));
    ++at_;
  }
  // Whether another item follows; otherwise the closing character has been read.
  bool more(char close) {
    space();
    if (peek() == ',') {
      ++at_;
      return true;
    }
    expect(close);
    return false;
  }
  bool word(const char* w) {
    const std::size_t n = std::string(w).size();
    if (text_.compare(at_, n, w) != 0) return false;
    at_ += n;
    return true;
  }

  Json value() {
    space();
    Json v;
    if (peek() == '{') {
      v.kind = Json::Kind::object;
      ++at_;
      space();
      if (peek() == '}') return ++at_, v;
      do {
        space();
        std::string name = quoted();
        expect(':');
        v.members.emplace_back(std::move(name), value());
      } while (more('}'));
    } else if (peek() == '[') {
      v.kind = Json::Kind::list;
      ++at_;
      space();
      if (peek() == ']') return ++at_, v;
      do v.items.push_back(value());
      while (more(']'));
    } else if (peek() == '"') {
      v.kind = Json::Kind::text;
      v.text = quoted();
    } else if (word("true") || word("false")) {
      v.kind = Json::Kind::boolean;
      v.number = text_[at_ - 2] == 'u' ? 1 : 0;
    } else if (!word("null")) {
      v.kind = Json::Kind::number;
      const char* const start = text_.c_str() + at_;
      char* end = nullptr;
      v.number = std::strtod(start, &end);
      if (end == start) fail("a value");
      at_ += static_cast<std::size_t>(end - start);
    }
    return v;
  }

  // Of a code point \uXXXX only those of ASCII are kept; the files that are read here have no others.
  std::string quoted() {
    if (peek() != '"') fail("a string");
    std::string s;
    for (++at_; peek() != '"'; ++at_) {
      if (at_ >= text_.size()) fail("the end of a string");
      if (peek() != '\\') {
        s += peek();
        continue;
      }
      ++at_;
      const char c = peek();
      if (c == 'u') {
        s += static_cast<char>(std::strtol(text_.substr(at_ + 1, 4).c_str(), nullptr, 16));
        at_ += 4;
      } else {
        s += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
      }
    }
    ++at_;
    return s;
  }

  const std::string& text_;
  std::size_t at_ = 0;
};

inline std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

}  // namespace lo::test
