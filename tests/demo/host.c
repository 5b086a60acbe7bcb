/* A small Lua host, as programs embed it: runs a script file, and gives it one function to report results
 * with. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <stdio.h>

/* report(name, value): called back from Lua. */
static int report(lua_State *lua) {
    const char *name = luaL_checkstring(lua, 1);
    printf("%-12s %s\n", name, luaL_tolstring(lua, 2, NULL));
    ++*(int *)lua_touserdata(lua, lua_upvalueindex(1));
    return 0;
}

/* arg[0] is the script, arg[1] and on what stands behind it, as Lua's own program has it. */
static void set_arguments(lua_State *lua, int argc, char **argv) {
    lua_createtable(lua, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(lua, argv[i]);
        lua_rawseti(lua, -2, i - 1);
    }
    lua_setglobal(lua, "arg");
}

static int run(lua_State *lua, const char *script) {
    int reports = 0;
    luaL_openlibs(lua);
    lua_pushlightuserdata(lua, &reports);
    lua_pushcclosure(lua, report, 1);
    lua_setglobal(lua, "report");
    if (luaL_loadfile(lua, script) != LUA_OK || lua_pcall(lua, 0, 1, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(lua, -1));
        return 1;
    }
    printf("%s: %d results, the script returned %s\n", LUA_RELEASE, reports, luaL_tolstring(lua, -1, NULL));
    return 0;
}

int main(int argc, char **argv) {
    lua_State *lua = luaL_newstate();
    if (!lua || argc < 2) {
        fputs("usage: host SCRIPT [ARGUMENT]...\n", stderr);
        return 2;
    }
    set_arguments(lua, argc, argv);
    int status = run(lua, argv[1]);
    lua_close(lua);
    return status;
}
